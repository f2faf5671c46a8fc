import {
  isOver,
  type Operation,
  operationIdOf,
  type StepValue,
  sourceOf,
} from '../../../shared/operations/index.ts';
import { invalid, SkerryError, unprocessable } from '../../../shared/platform/errors.ts';
import {
  type Author,
  canonicalLocation,
  type HeaderReader,
  type HttpResponse,
  json,
} from '../../../shared/platform/http/index.ts';
import { jsonEquals } from '../../../shared/platform/json-equals.ts';
import type { Json } from '../../../shared/records/index.ts';
import type { Services } from '../../services.ts';
import { operationSchema, progressOf, showOperation } from './operation-shape.ts';

/** Seconds: how long whoever asks how work goes waits before it asks again. */
const RETRY_AFTER = '1';
const IDEMPOTENCY_KEY = /^[\x21-\x7e]{1,200}$/;

/** What a request asks for. */
export interface Work {
  /** Of the command; of several, the one that the request calls for as things stand, and those that it may have called for before. */
  readonly types: readonly [string, ...string[]];
  /** Of the command, whichever it is. */
  readonly data: object;
  /** Path below the API of what is worked on. */
  readonly about?: string;
  /** Throws where it is not to be done as things stand; not asked where the same request has begun it already. */
  readonly allow?: () => Promise<void>;
}

/** What `startWork` needs of a request. */
export interface WorkRequest {
  readonly ns: string;
  readonly author: Author;
  readonly baseUrl: string;
  readonly headers: HeaderReader;
}

/** The answer to a request that starts work. */
export const startedWork = {
  202: {
    description:
      'It will be done; the operation tells how it goes, from now on and under the address in `Operation-Location`.',
    body: operationSchema,
    headers: ['Operation-Location', 'Location', 'Retry-After'],
  },
} as const;

/** Asks for work by a command, and answers with the operation that it is. The same request with the same `Idempotency-Key` is the same operation. */
export async function startWork(request: WorkRequest, services: Services, work: Work): Promise<HttpResponse> {
  const { ns, author, headers } = request;
  const idempotencyKey = readIdempotencyKey(headers);
  const [type] = work.types;
  const data = work.data as Json;
  const known = await findStarted(request, services, work, idempotencyKey);
  if (known !== undefined) {
    return answerStarted(request, known, { about: work.about });
  }
  let operation: Operation;
  try {
    await work.allow?.();
    operation = await services.commands.request({ ns, type, data, author, idempotencyKey });
  } catch (error) {
    // Where the same request came first in the meantime, what it began is what this one asks for, however that stands in its way.
    const first =
      error instanceof SkerryError && (await findStarted(request, services, work, idempotencyKey));
    if (!first) throw error;
    operation = first;
  }
  checkSame(operation, services, work);
  return answerStarted(request, operation, { about: work.about });
}

/**
 * 202 for an operation.
 *
 * @param more of the body.
 */
export function answerStarted(
  request: Pick<WorkRequest, 'ns' | 'baseUrl'>,
  operation: Operation,
  {
    about,
    steps,
    ...more
  }: {
    readonly about?: string | undefined;
    readonly steps?: readonly StepValue[];
    readonly callbackSecret?: string | undefined;
  } = {},
): HttpResponse {
  const shown = showOperation(operation, progressOf(operation, steps));
  return json(
    202,
    { ...shown, ...more },
    {
      ...(about !== undefined && { location: canonicalLocation(request, about) }),
      headers: {
        'Operation-Location': canonicalLocation(request, `operations/${operation.id}`),
        ...(!isOver(operation.state) && { 'Retry-After': RETRY_AFTER }),
      },
    },
  );
}

async function findStarted(
  { ns, author }: WorkRequest,
  services: Services,
  work: Work,
  idempotencyKey: string | undefined,
): Promise<Operation | undefined> {
  if (idempotencyKey === undefined) {
    return undefined;
  }
  const id = operationIdOf(ns, sourceOf(author), idempotencyKey);
  const operation = await services.operations.find(ns, id);
  if (operation !== undefined) {
    checkSame(operation, services, work);
  }
  return operation;
}

/** @throws SkerryError `unprocessable` where the operation is what another request asked for. */
function checkSame(operation: Operation, { commandRules }: Services, { types, data }: Work): void {
  const isSame =
    types.includes(operation.type) &&
    jsonEquals(commandRules.check({ type: operation.type, data }).data, operation.data);
  if (!isSame) {
    throw unprocessable('This idempotency key was sent with another request before.', {
      field: 'Idempotency-Key',
      fix: 'Choose a new one for each request, and send it again only with the same one.',
    });
  }
}

/** @throws SkerryError `invalid`. */
function readIdempotencyKey(headers: HeaderReader): string | undefined {
  const key = headers.get('idempotency-key');
  if (key === null) {
    return undefined;
  }
  if (!IDEMPOTENCY_KEY.test(key)) {
    throw invalid('The header Idempotency-Key is not acceptable.', {
      field: 'Idempotency-Key',
      fix: 'Send 1 to 200 visible ASCII characters, such as a UUID.',
    });
  }
  return key;
}
