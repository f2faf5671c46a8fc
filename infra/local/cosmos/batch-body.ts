import { badRequest, notSupported } from './cosmos-error.ts';
import type { ItemOperation, OperationResult, OperationType } from './item-operations.ts';
import { isJsonObject, type JsonObject, type JsonValue } from './json.ts';

export interface BatchOperation extends ItemOperation {
  /** JSON of the value array; only in bulk requests. */
  readonly partitionKey: string;
}

const MAX_OPERATIONS = 100;
const TYPES: readonly OperationType[] = ['Create', 'Upsert', 'Replace', 'Read', 'Delete'];

/** Reads the operations of an atomic or bulk request. @throws CosmosError 400 or 501 */
export function batchOperations(body: JsonValue): BatchOperation[] {
  if (!Array.isArray(body) || body.length === 0) throw badRequest('A batch is a JSON array of operations.');
  if (body.length > MAX_OPERATIONS)
    throw badRequest('Batch request has more operations than what is supported.');
  return body.map((entry) => {
    if (isJsonObject(entry)) return batchOperation(entry);
    throw badRequest('Each operation of a batch must be an object.');
  });
}

function batchOperation(entry: JsonObject): BatchOperation {
  const { operationType, id, resourceBody, ifMatch, ifNoneMatch } = entry;
  const type = TYPES.find((name) => name === operationType);
  if (operationType === 'Patch') throw notSupported('Patch');
  if (type === undefined) throw badRequest(`The batch operation ${String(operationType)} is unknown.`);
  if (ifNoneMatch !== undefined) throw notSupported('ifNoneMatch in a batch');
  return {
    type,
    id: typeof id === 'string' ? id : undefined,
    body: isJsonObject(resourceBody) ? resourceBody : undefined,
    ifMatch: typeof ifMatch === 'string' ? ifMatch : undefined,
    partitionKey: String(entry.partitionKey),
  };
}

/** @param minimal leaves out what was written, not what was read */
export function batchAnswer(
  operations: readonly ItemOperation[],
  results: readonly OperationResult[],
  minimal: boolean,
): string {
  const answers = results.map(({ status, subStatus, charge, item }, index) => {
    const answer = {
      statusCode: status,
      ...(subStatus ? { subStatusCode: subStatus } : {}),
      requestCharge: Math.round(charge * 100) / 100,
      ...(item === undefined ? {} : { eTag: item.head.etag }),
    };
    const hasBody = item !== undefined && (!minimal || operations[index]?.type === 'Read');
    const text = JSON.stringify(answer);
    return hasBody ? `${text.slice(0, -1)},"resourceBody":${item.body.toString()}}` : text;
  });
  return `[${answers.join(',')}]`;
}
