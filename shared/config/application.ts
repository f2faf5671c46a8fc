import type { Json, StoredRecord } from '../records/index.ts';

export type JsonObject = { [name: string]: Json | undefined };

/** A JSON Schema (2020-12): an object, or true or false. */
export type JsonSchema = JsonObject | boolean;

/** What is stored for an application under `/app/NAME`. */
export interface ApplicationValue {
  readonly config: Json;
  /** What `config` must satisfy. */
  readonly schema?: JsonSchema;
  /** Fields that another surface stored and this model does not know (docs/compatibility.md). */
  readonly extra?: JsonObject;
}

export interface Application extends ApplicationValue {
  readonly name: string;
  readonly revision: number;
  /** RFC 3339, UTC. */
  readonly createdAt: string;
  readonly updatedAt: string;
}

const KEY_PREFIX = '/app/';

export function applicationKey(name: string): string {
  return KEY_PREFIX + name;
}

export function toApplication(record: StoredRecord<ApplicationValue>): Application {
  const { key, value, revision, createdAt, updatedAt } = record;
  return { name: key.slice(KEY_PREFIX.length), ...value, revision, createdAt, updatedAt };
}
