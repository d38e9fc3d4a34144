"""The documentation: authored pages here, generated ones by ``docs.pages``."""
