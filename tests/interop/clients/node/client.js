// A CSO over node's soap package: log in, authorize, submit an SDR.
//
// Arguments are name=value; what came of each step is printed in the same form.

"use strict";

const { randomUUID } = require("node:crypto");
const soap = require("soap");

const given = Object.fromEntries(
  process.argv.slice(2).map((word) => {
    const place = word.indexOf("=");
    return [word.slice(0, place), word.slice(place + 1)];
  }),
);

async function call(service, operation, body, token) {
  const address = `${given.url}/services/${service}`;
  const client = await soap.createClientAsync(`${address}?wsdl`);
  client.setEndpoint(address);
  const header = {
    "common:messageId": randomUUID(),
    "common:senderId": given.party,
    // A Date would be written without content.
    "common:createdAt": new Date().toISOString(),
  };
  if (token) header["common:sessionToken"] = token;
  client.addSoapHeader({ "common:exchangeHeader": header });
  const [answer] = await client[`${operation}Async`](body);
  return answer;
}

async function main() {
  const login = await call("access", "Login", {
    username: given.username,
    password: given.password,
  });
  console.log(`login=${login.result.code}`);

  const decision = await call(
    "authorization",
    "AuthorizeStart",
    { evseId: given.evse, credential: { kind: "RFID", value: given.uid } },
    login.sessionToken,
  );
  console.log(`decision=${decision.decision}`);

  const times = { startedAt: given.started, endedAt: given.ended };
  const transaction = { chargingTransactionId: "1", ...times, energyWh: given.energy };
  const charging = { chargingSessionId: "1", ...times, chargingTransaction: [transaction] };
  const session = {
    sessionId: decision.sessionId,
    cspId: given.csp,
    evseId: given.evse,
    ...times,
    chargingSession: [charging],
  };
  const record = {
    sdrId: given.sdr,
    serviceSession: session,
    tariffId: given.tariff,
    currency: "EUR",
    claimedNet: given.net,
  };
  const control = {
    count: 1,
    energyWh: given.energy,
    net: [{ currency: "EUR", amount: given.net }],
  };
  const submitted = await call(
    "sdr",
    "SubmitSdrs",
    { batchSequence: given.sequence, control, serviceDetailRecord: [record] },
    login.sessionToken,
  );
  console.log(`submit=${submitted.result.code}`);
  console.log(`accepted=${submitted.accepted}`);

  // A wrong token must come back as the declared fault.
  try {
    await call("sdr", "GetSdrs", {}, "ch1_nobody");
  } catch (error) {
    console.log(`fault=${error.root.Envelope.Body.Fault.detail.fault.code}`);
  }
}

main().catch((error) => {
  console.error(error.body || error);
  process.exit(1);
});
