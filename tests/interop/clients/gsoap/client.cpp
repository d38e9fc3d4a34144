// A CSO over proxies that wsdl2h and soapcpp2 made: log in, authorize, submit an SDR.
//
// Arguments are name=value; what came of each step is printed in the same form.

#include <ctime>
#include <iostream>
#include <map>
#include <random>
#include <string>

#include "AccessSoap11.nsmap"
#include "soapAccessSoap11Proxy.h"
#include "soapAuthorizationSoap11Proxy.h"
#include "soapSdrSoap11Proxy.h"

static std::map<std::string, std::string> given;

static std::string message_id() {
    static std::random_device source;
    static const char digits[] = "0123456789abcdef";
    std::string id = "xxxxxxxx-xxxx-4xxx-8xxx-xxxxxxxxxxxx";
    for (char &place : id)
        if (place == 'x') place = digits[source() % 16];
    return id;
}

static time_t instant(struct soap *soap, const std::string &text) {
    time_t at;
    if (soap_s2dateTime(soap, text.c_str(), &at) != SOAP_OK) throw text;
    return at;
}

// The header stays the caller's own: gSOAP only points to it.
template <typename Proxy>
static void identify(Proxy &proxy, common__ExchangeHeaderType &header, std::string *token) {
    header.messageId = message_id();
    header.senderId = given["party"];
    header.createdAt = time(nullptr);
    header.sessionToken = token;
    proxy.soap_header(&header);
}

template <typename Proxy>
static void check(Proxy &proxy, int outcome) {
    if (outcome == SOAP_OK) return;
    proxy.soap_stream_fault(std::cerr);
    exit(1);
}

static std::string log_in(const std::string &url) {
    AccessSoap11Proxy access(url.c_str());
    common__ExchangeHeaderType header;
    identify(access, header, nullptr);
    access__LoginRequestType request;
    request.username = given["username"];
    request.password = given["password"];
    access__LoginResponseType response;
    check(access, access.Login(&request, response));
    std::cout << "login=" << response.result->code << std::endl;
    return *response.sessionToken;
}

static std::string authorize(const std::string &url, std::string token) {
    AuthorizationSoap11Proxy authorization(url.c_str());
    common__ExchangeHeaderType header;
    identify(authorization, header, &token);
    common__CredentialType credential;
    credential.kind = common__CredentialKindType__RFID;
    credential.value = given["uid"];
    authorization__AuthorizeStartRequestType request;
    request.evseId = given["evse"];
    request.credential = &credential;
    authorization__AuthorizeStartResponseType response;
    check(authorization, authorization.AuthorizeStart(&request, response));
    bool authorized = *response.decision == common__DecisionType__AUTHORIZED;
    std::cout << "decision=" << (authorized ? "AUTHORIZED" : "REFUSED") << std::endl;
    return *response.sessionId;
}

static void submit(const std::string &url, std::string token, std::string session_id) {
    SdrSoap11Proxy sdr(url.c_str());
    common__ExchangeHeaderType header;
    identify(sdr, header, &token);
    LONG64 energy_wh = std::stoll(given["energy"]);
    time_t started_at = instant(sdr.soap, given["started"]);
    time_t ended_at = instant(sdr.soap, given["ended"]);

    sdr__ChargingTransactionType transaction;
    transaction.chargingTransactionId = "1";
    transaction.startedAt = started_at;
    transaction.endedAt = ended_at;
    transaction.energyWh = energy_wh;
    sdr__ChargingSessionType charging;
    charging.chargingSessionId = "1";
    charging.startedAt = started_at;
    charging.endedAt = ended_at;
    charging.chargingTransaction.push_back(&transaction);
    sdr__ServiceSessionType session;
    session.sessionId = &session_id;
    session.cspId = given["csp"];
    session.evseId = given["evse"];
    session.startedAt = started_at;
    session.endedAt = ended_at;
    session.chargingSession.push_back(&charging);
    sdr__ServiceDetailRecordType record;
    record.sdrId = given["sdr"];
    record.serviceSession = &session;
    record.tariffId = given["tariff"];
    record.currency = "EUR";
    record.claimedNet = given["net"];
    common__CurrencyAmountType net;
    net.currency = "EUR";
    net.amount = given["net"];
    sdr__BatchControlType control;
    control.count = 1;
    control.energyWh = energy_wh;
    control.net.push_back(&net);
    sdr__SubmitSdrsRequestType request;
    request.batchSequence = std::stoll(given["sequence"]);
    request.control = &control;
    request.serviceDetailRecord.push_back(&record);
    sdr__SubmitSdrsResponseType response;
    check(sdr, sdr.SubmitSdrs(&request, response));
    std::cout << "submit=" << response.result->code << std::endl;
    std::cout << "accepted=" << *response.accepted << std::endl;
}

// A wrong token must come back as the declared fault, typed.
static void provoke(const std::string &url) {
    SdrSoap11Proxy sdr(url.c_str());
    std::string token = "ch1_nobody";
    common__ExchangeHeaderType header;
    identify(sdr, header, &token);
    sdr__GetSdrsRequestType request;
    sdr__GetSdrsResponseType response;
    if (sdr.GetSdrs(&request, response) == SOAP_OK) return;
    // The WSDL has a port for each SOAP version; gSOAP takes the newer, whose faults
    // have another place for the detail.
    const SOAP_ENV__Fault *fault = sdr.soap_fault();
    const SOAP_ENV__Detail *detail = fault->detail ? fault->detail : fault->SOAP_ENV__Detail;
    if (detail && detail->common__fault)
        std::cout << "fault=" << detail->common__fault->code << std::endl;
}

int main(int count, char **words) {
    for (int number = 1; number < count; ++number) {
        std::string word = words[number];
        size_t place = word.find('=');
        given[word.substr(0, place)] = word.substr(place + 1);
    }
    std::string services = given["url"] + "/services/";
    std::string token = log_in(services + "access");
    std::string session_id = authorize(services + "authorization", token);
    submit(services + "sdr", token, session_id);
    provoke(services + "sdr");
    return 0;
}
