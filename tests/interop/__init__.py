"""SOAP clients that foreign tool chains made from our WSDLs, against a running server.

Each client under ``clients`` logs in, authorizes a start, submits an SDR and provokes a
fault. What a tool generates lands in ``build``, which git ignores. Needs the packages
``gsoap libgsoap-dev g++ php-cli php-soap jaxws libjaxws-java openjdk-17-jdk-headless
nodejs npm``; a test whose tool is missing skips itself, and fails in CI.
"""
