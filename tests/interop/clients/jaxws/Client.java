import clearinghouse.iec63119.access._1.AccessPortType;
import clearinghouse.iec63119.access._1.AccessService;
import clearinghouse.iec63119.access._1.LoginRequestType;
import clearinghouse.iec63119.access._1.LoginResponseType;
import clearinghouse.iec63119.authorization._1.AuthorizationPortType;
import clearinghouse.iec63119.authorization._1.AuthorizationService;
import clearinghouse.iec63119.authorization._1.AuthorizeStartRequestType;
import clearinghouse.iec63119.authorization._1.AuthorizeStartResponseType;
import clearinghouse.iec63119.common._1.CredentialKindType;
import clearinghouse.iec63119.common._1.CredentialType;
import clearinghouse.iec63119.common._1.CurrencyAmountType;
import clearinghouse.iec63119.common._1.ExchangeHeaderType;
import clearinghouse.iec63119.sdr._1.BatchControlType;
import clearinghouse.iec63119.sdr._1.ChargingSessionType;
import clearinghouse.iec63119.sdr._1.ChargingTransactionType;
import clearinghouse.iec63119.sdr._1.FaultMessage;
import clearinghouse.iec63119.sdr._1.GetSdrsRequestType;
import clearinghouse.iec63119.sdr._1.SdrPortType;
import clearinghouse.iec63119.sdr._1.SdrService;
import clearinghouse.iec63119.sdr._1.ServiceDetailRecordType;
import clearinghouse.iec63119.sdr._1.ServiceSessionType;
import clearinghouse.iec63119.sdr._1.SubmitSdrsRequestType;
import clearinghouse.iec63119.sdr._1.SubmitSdrsResponseType;
import java.math.BigDecimal;
import java.net.URL;
import java.time.Instant;
import java.util.HashMap;
import java.util.Map;
import java.util.UUID;
import javax.xml.datatype.DatatypeFactory;
import javax.xml.datatype.XMLGregorianCalendar;
import javax.xml.ws.BindingProvider;

/**
 * A CSO over proxies that wsimport made: log in, authorize, submit an SDR.
 *
 * <p>Arguments are name=value; what came of each step is printed in the same form.
 */
public final class Client {
  private static final Map<String, String> GIVEN = new HashMap<>();
  private static String token;

  private Client() {}

  public static void main(String[] words) throws Exception {
    for (String word : words) {
      int place = word.indexOf('=');
      GIVEN.put(word.substring(0, place), word.substring(place + 1));
    }
    logIn();
    String sessionId = authorize();
    submit(sessionId);
    provoke();
  }

  private static URL wsdl(String service) throws Exception {
    return new URL(GIVEN.get("url") + "/services/" + service + "?wsdl");
  }

  private static <T> T at(T port, String service) {
    String address = GIVEN.get("url") + "/services/" + service;
    ((BindingProvider) port)
        .getRequestContext()
        .put(BindingProvider.ENDPOINT_ADDRESS_PROPERTY, address);
    return port;
  }

  private static XMLGregorianCalendar instant(String text) throws Exception {
    return DatatypeFactory.newInstance().newXMLGregorianCalendar(text);
  }

  private static ExchangeHeaderType header() throws Exception {
    ExchangeHeaderType header = new ExchangeHeaderType();
    header.setMessageId(UUID.randomUUID().toString());
    header.setSenderId(GIVEN.get("party"));
    // The contract takes microseconds; Java's clock has nanoseconds.
    header.setCreatedAt(instant(Instant.now().toString().replaceAll("\\.\\d+Z", "Z")));
    header.setSessionToken(token);
    return header;
  }

  private static void logIn() throws Exception {
    AccessPortType access =
        at(new AccessService(wsdl("access")).getAccessSoap11Port(), "access");
    LoginRequestType request = new LoginRequestType();
    request.setUsername(GIVEN.get("username"));
    request.setPassword(GIVEN.get("password"));
    LoginResponseType response = access.login(request, header());
    System.out.println("login=" + response.getResult().getCode());
    token = response.getSessionToken();
  }

  private static String authorize() throws Exception {
    AuthorizationPortType authorization =
        at(
            new AuthorizationService(wsdl("authorization")).getAuthorizationSoap11Port(),
            "authorization");
    CredentialType credential = new CredentialType();
    credential.setKind(CredentialKindType.RFID);
    credential.setValue(GIVEN.get("uid"));
    AuthorizeStartRequestType request = new AuthorizeStartRequestType();
    request.setEvseId(GIVEN.get("evse"));
    request.setCredential(credential);
    AuthorizeStartResponseType response = authorization.authorizeStart(request, header());
    System.out.println("decision=" + response.getDecision());
    return response.getSessionId();
  }

  private static void submit(String sessionId) throws Exception {
    XMLGregorianCalendar startedAt = instant(GIVEN.get("started"));
    XMLGregorianCalendar endedAt = instant(GIVEN.get("ended"));
    int energyWh = Integer.parseInt(GIVEN.get("energy"));
    BigDecimal net = new BigDecimal(GIVEN.get("net"));

    ChargingTransactionType transaction = new ChargingTransactionType();
    transaction.setChargingTransactionId("1");
    transaction.setStartedAt(startedAt);
    transaction.setEndedAt(endedAt);
    transaction.setEnergyWh(energyWh);
    ChargingSessionType charging = new ChargingSessionType();
    charging.setChargingSessionId("1");
    charging.setStartedAt(startedAt);
    charging.setEndedAt(endedAt);
    charging.getChargingTransaction().add(transaction);
    ServiceSessionType session = new ServiceSessionType();
    session.setSessionId(sessionId);
    session.setCspId(GIVEN.get("csp"));
    session.setEvseId(GIVEN.get("evse"));
    session.setStartedAt(startedAt);
    session.setEndedAt(endedAt);
    session.getChargingSession().add(charging);
    ServiceDetailRecordType record = new ServiceDetailRecordType();
    record.setSdrId(GIVEN.get("sdr"));
    record.setServiceSession(session);
    record.setTariffId(GIVEN.get("tariff"));
    record.setCurrency("EUR");
    record.setClaimedNet(net);
    CurrencyAmountType total = new CurrencyAmountType();
    total.setCurrency("EUR");
    total.setAmount(net);
    BatchControlType control = new BatchControlType();
    control.setCount(1);
    control.setEnergyWh(energyWh);
    control.getNet().add(total);
    SubmitSdrsRequestType request = new SubmitSdrsRequestType();
    request.setBatchSequence(Long.parseLong(GIVEN.get("sequence")));
    request.setControl(control);
    request.getServiceDetailRecord().add(record);
    SubmitSdrsResponseType response = sdr().submitSdrs(request, header());
    System.out.println("submit=" + response.getResult().getCode());
    System.out.println("accepted=" + response.getAccepted());
  }

  private static SdrPortType sdr() throws Exception {
    return at(new SdrService(wsdl("sdr")).getSdrSoap11Port(), "sdr");
  }

  /** A wrong token must come back as the declared fault, typed. */
  private static void provoke() throws Exception {
    token = "ch1_nobody";
    try {
      sdr().getSdrs(new GetSdrsRequestType(), header());
    } catch (FaultMessage fault) {
      System.out.println("fault=" + fault.getFaultInfo().getCode());
    }
  }
}
