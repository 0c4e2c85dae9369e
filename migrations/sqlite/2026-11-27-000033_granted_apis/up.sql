-- What a person allowed is a list of APIs. A grant or a device's request that named none meant all APIs of its client,
-- whenever; from now on those that the client has at this moment. The operator's own apps, for which nobody is asked, keep
-- the old meaning. A remembered consent that named no API covers no API: the person is asked once more.

UPDATE grants
SET resources = (SELECT audiences FROM clients WHERE clients.client_id = grants.client_id)
WHERE resources = '' AND origin <> 'first_party';
UPDATE device_codes
SET resources = (SELECT audiences FROM clients WHERE clients.client_id = device_codes.client_id)
WHERE resources = '';
