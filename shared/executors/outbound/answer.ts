import type { IncomingHttpHeaders } from 'node:http';
import type { z } from 'zod';
import { oneLine } from '../../webhooks/index.ts';
import { finalFailure, passingFailure, StepFailure } from '../step-failure.ts';

/** Bytes that are read of an answer. */
export const MAX_ANSWER_BYTES = 1024 * 1024;

const MAX_EXCERPT_CHARACTERS = 300;

/** What an origin answered, without what it was shown as a credential. */
export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Of the body; empty where it is compressed, which nobody asked for. */
  readonly text: string;
  /** Whether the text is all of the body. */
  readonly isWhole: boolean;
  /** How long the origin wants to be left alone. */
  readonly retryAfterSeconds?: number;
}

export function isSuccess({ status }: Answer): boolean {
  return status >= 200 && status < 300;
}

/** Whether the same request may be answered otherwise in a while. */
export function isPassingStatus(status: number): boolean {
  return status === 408 || status === 425 || status === 429 || status >= 500;
}

/** What an answer that is no success means; the reason has what the body says, if it says something. */
export function failureOf(
  answer: Answer,
  doing: string,
  isPassing = isPassingStatus(answer.status),
): StepFailure {
  const said = sentenceIn(parse(answer.text)) ?? (/^\s*</.test(answer.text) ? '' : answer.text);
  const isRedirect = answer.status >= 300 && answer.status < 400;
  const detail = isRedirect ? 'redirects are not followed' : oneLine(said.slice(0, MAX_EXCERPT_CHARACTERS));
  const { status, retryAfterSeconds } = answer;
  return new StepFailure(`${doing}: HTTP ${status}${detail === '' ? '' : `: ${detail}`}`, {
    isPassing,
    retryAfterSeconds,
  });
}

/**
 * The body of a success.
 *
 * @throws StepFailure where it is not what the schema says: passing, as gateways like to say 200 to anything.
 */
export function readBody<Value>(answer: Answer, schema: z.ZodType<Value>, doing: string): Value {
  if (!isSuccess(answer)) {
    throw failureOf(answer, doing);
  }
  if (!answer.isWhole) {
    throw finalFailure(`${doing}: the answer is longer than ${MAX_ANSWER_BYTES / 1024} KiB, or compressed.`);
  }
  const parsed = schema.safeParse(parse(answer.text));
  if (!parsed.success) {
    const [fault] = parsed.error.issues;
    const where = fault === undefined || fault.path.length === 0 ? '' : ` (at ${fault.path.join('.')})`;
    throw passingFailure(`${doing}: HTTP ${answer.status} with an answer that is not of this API${where}.`);
  }
  return parsed.data;
}

/** undefined for what is no JSON. */
export function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Where APIs say what is wrong: RFC 9457, JSON:API, Azure, Vault, Consul, and this product itself. */
const TELLING_MEMBERS = ['error', 'errors', 'Errors', 'detail', 'reason', 'message', 'What', 'title'];

/** The first text under a member that tells. */
export function sentenceIn(value: unknown, depth = 0): string | undefined {
  if (typeof value === 'string' || depth > 4) {
    return typeof value === 'string' && depth > 0 && value !== '' ? value : undefined;
  }
  if (Array.isArray(value)) {
    return value.map((item) => sentenceIn(item, depth + 1)).find((text) => text !== undefined);
  }
  if (typeof value !== 'object' || value === null) {
    return undefined;
  }
  const members = new Map<string, unknown>(Object.entries(value));
  return TELLING_MEMBERS.map((name) => sentenceIn(members.get(name), depth + 1)).find(
    (text) => text !== undefined,
  );
}
