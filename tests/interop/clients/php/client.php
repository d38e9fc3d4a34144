<?php
// A CSO over PHP's SoapClient: log in, authorize, submit an SDR.
//
// Arguments are name=value; what came of each step is printed in the same form.

declare(strict_types=1);

const COMMON = 'urn:clearinghouse:iec63119:common:1';

$given = [];
foreach (array_slice($argv, 1) as $word) {
    [$name, $value] = explode('=', $word, 2);
    $given[$name] = $value;
}

function messageId(): string
{
    $bytes = random_bytes(16);
    $bytes[6] = chr(ord($bytes[6]) & 0x0f | 0x40);
    $bytes[8] = chr(ord($bytes[8]) & 0x3f | 0x80);
    return vsprintf('%s%s-%s-%s-%s-%s%s%s', str_split(bin2hex($bytes), 4));
}

function call(string $service, string $operation, array $body, ?string $token): object
{
    global $given;
    static $clients = [];
    $address = "{$given['url']}/services/$service";
    $clients[$service] ??= new SoapClient("$address?wsdl", [
        'location' => $address,
        'soap_version' => SOAP_1_1,
        'exceptions' => true,
        'cache_wsdl' => WSDL_CACHE_NONE,
    ]);
    $header = [
        'messageId' => messageId(),
        'senderId' => $given['party'],
        'createdAt' => gmdate('Y-m-d\TH:i:s\Z'),
    ];
    if ($token !== null) {
        $header['sessionToken'] = $token;
    }
    return $clients[$service]->__soapCall(
        $operation,
        [$body],
        null,
        new SoapHeader(COMMON, 'exchangeHeader', $header)
    );
}

$login = call('access', 'Login', [
    'username' => $given['username'],
    'password' => $given['password'],
], null);
echo "login={$login->result->code}\n";

$decision = call('authorization', 'AuthorizeStart', [
    'evseId' => $given['evse'],
    'credential' => ['kind' => 'RFID', 'value' => $given['uid']],
], $login->sessionToken);
echo "decision={$decision->decision}\n";

$times = ['startedAt' => $given['started'], 'endedAt' => $given['ended']];
$energy = (int) $given['energy'];
$record = [
    'sdrId' => $given['sdr'],
    'serviceSession' => [
        'sessionId' => $decision->sessionId,
        'cspId' => $given['csp'],
        'evseId' => $given['evse'],
        ...$times,
        'chargingSession' => [[
            'chargingSessionId' => '1',
            ...$times,
            'chargingTransaction' => [[
                'chargingTransactionId' => '1',
                ...$times,
                'energyWh' => $energy,
            ]],
        ]],
    ],
    'tariffId' => $given['tariff'],
    'currency' => 'EUR',
    'claimedNet' => $given['net'],
];
$submitted = call('sdr', 'SubmitSdrs', [
    'batchSequence' => (int) $given['sequence'],
    'control' => [
        'count' => 1,
        'energyWh' => $energy,
        'net' => [['currency' => 'EUR', 'amount' => $given['net']]],
    ],
    'serviceDetailRecord' => [$record],
], $login->sessionToken);
echo "submit={$submitted->result->code}\n";
echo "accepted={$submitted->accepted}\n";

// A wrong token must come back as the declared fault.
try {
    call('sdr', 'GetSdrs', [], 'ch1_nobody');
} catch (SoapFault $fault) {
    echo "fault={$fault->detail->fault->code}\n";
}
