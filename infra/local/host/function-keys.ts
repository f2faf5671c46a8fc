import { createHash, timingSafeEqual } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import type { IncomingHttpHeaders } from 'node:http';
import { join } from 'node:path';
import { z } from 'zod';
import { readJson } from './read-json.ts';

/** What a caller's key opens. */
export type AuthorizationLevel = 'anonymous' | 'function' | 'system' | 'admin';

const key = z
  .object({
    name: z.string().default(''),
    value: z.string().min(1),
    encrypted: z.literal(false, 'encrypted keys are not supported here').default(false),
  })
  .transform(({ value }) => digest(value));
const keys = z.array(key).default([]);
const hostSecrets = z.object({ masterKey: key, functionKeys: keys, systemKeys: keys });
const functionSecrets = z.object({ keys });

/**
 * The keys of an app, in the files in which the real host keeps them: `host.json` with `masterKey`, `functionKeys` and
 * `systemKeys`, and `<function>.json` with `keys` (azure-functions-host, `FileSystemSecretsRepository`).
 */
export class FunctionKeys {
  /** @throws Error that names the file which is missing or malformed. */
  static async read(directory: string): Promise<FunctionKeys> {
    const host = await readJson(join(directory, 'host.json'), hostSecrets);
    const ownKeys = new Map<string, Buffer[]>();
    for (const file of await readdir(directory)) {
      const name = /^(.+)\.json$/i.exec(file)?.[1]?.toLowerCase();
      if (name === undefined || name === 'host' || name.includes('.')) continue;
      ownKeys.set(name, (await readJson(join(directory, file), functionSecrets)).keys);
    }
    return new FunctionKeys(host, ownKeys);
  }

  readonly #host: z.output<typeof hostSecrets>;
  readonly #ownKeys: ReadonlyMap<string, readonly Buffer[]>;

  private constructor(host: z.output<typeof hostSecrets>, ownKeys: ReadonlyMap<string, readonly Buffer[]>) {
    this.#host = host;
    this.#ownKeys = ownKeys;
  }

  /** A key in the header wins over one in the query, even if it is empty; system keys open no function. */
  levelOf(headers: IncomingHttpHeaders, query: string, functionName?: string): AuthorizationLevel {
    const given = keyInHeaders(headers) ?? keyInQuery(query);
    if (!given) return 'anonymous';
    const hash = digest(given);
    const isAmong = (keys: readonly Buffer[]) => keys.some((each) => timingSafeEqual(each, hash));
    if (isAmong([this.#host.masterKey])) return 'admin';
    if (isAmong(this.#host.systemKeys)) return 'system';
    const ownKeys = this.#ownKeys.get(functionName?.toLowerCase() ?? '') ?? [];
    return isAmong(this.#host.functionKeys) || isAmong(ownKeys) ? 'function' : 'anonymous';
  }
}

/** Of equal length, so that a comparison takes the same time whatever is compared. */
function digest(value: string): Buffer {
  return createHash('sha256').update(value).digest();
}

/** Of several headers the first counts, which node has joined to one. */
function keyInHeaders(headers: IncomingHttpHeaders): string | undefined {
  return headers['x-functions-key']?.toString().split(', ')[0];
}

function keyInQuery(query: string): string | undefined {
  for (const [name, value] of new URLSearchParams(query)) if (name.toLowerCase() === 'code') return value;
  return undefined;
}
