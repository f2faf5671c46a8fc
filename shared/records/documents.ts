import {
  type Attributes,
  attributesOf,
  type Change,
  type ChangeType,
  type StoredRecord,
  type Transaction,
} from './change.ts';
import type { Head } from './history/head.ts';
import { encodeKey } from './key.ts';
import { type Scope, scopeId } from './scope.ts';

/** Version of the document shapes below; readers may meet older ones. */
const SCHEMA_VERSION = 1;

/**
 * Every so many changes of a scope one is a milestone, which alone is found by its time: the timer that compacts asks for the
 * scopes of old milestones, and never looks at a scope with fewer changes. The index so costs one write in 250 one term more.
 */
const MILESTONE_EVERY = 250;

/** Digits of a revision in a document id, so that ids sort as revisions do up to 10^16. */
const REVISION_DIGITS = 16;

interface ScopeDocument {
  readonly id: string;
  readonly scope: string;
  readonly ns: string;
  readonly kind: string;
  readonly schemaVersion: number;
  readonly key: string;
  readonly revision: number;
}

/**
 * The newest state of one key. A deleted record stays as a tombstone: no value, but its revision. Its attributes stand at the top,
 * where they are indexed, so that a sweep finds what has lapsed. `listed` is `namespace:kind:text`.
 */
export interface RecordDocument<Value> extends ScopeDocument, Attributes {
  readonly type: 'record';
  readonly value?: Value;
  readonly createdAt: string;
  readonly updatedAt: string;
}

export interface ChangeDocument<Value> extends ScopeDocument {
  readonly type: 'change';
  readonly change: ChangeType;
  readonly value?: Value;
  readonly previous?: Value;
  readonly previousRevision?: number;
  readonly previousCreatedAt?: string;
  readonly previousUpdatedAt?: string;
  /** The attributes, kept apart from the record's own, which are indexed. */
  readonly life?: Attributes;
  readonly previousLife?: Attributes;
  readonly actor: string;
  readonly at: string;
  readonly traceparent?: string;
  readonly writeId: string;
  readonly transaction?: Transaction;
  /** `at` once more, where the change is a milestone. */
  readonly milestone?: string;
}

/**
 * How far the scope is compacted (compaction.ts); absent before the first time. It is no part of a write, so that writers do not
 * contend for it.
 */
export interface HeadDocument extends Head {
  readonly id: typeof HEAD_ID;
  readonly scope: string;
  readonly ns: string;
  readonly kind: string;
  readonly schemaVersion: number;
  readonly type: 'head';
  /** `compactedTo`, under a path that is indexed, while changes up to there may still have to be removed. */
  readonly revision?: number;
}

export const HEAD_ID = 'head';

export function toHeadDocument(scope: Scope, head: Head, mustRemove: boolean): HeadDocument {
  return {
    id: HEAD_ID,
    ...scopeFields(scope),
    type: 'head',
    ...head,
    ...(mustRemove && { revision: head.compactedTo }),
  };
}

export function changeDocumentId(revision: number): string {
  return `c:${String(revision).padStart(REVISION_DIGITS, '0')}`;
}

export function recordDocumentId(key: string): string {
  return `r:${encodeKey(key)}`;
}

export function toChangeDocument<Value>(scope: Scope, change: Change<Value>): ChangeDocument<Value> {
  const { previous } = change;
  return {
    id: changeDocumentId(change.revision),
    ...scopeFields(scope),
    type: 'change',
    key: change.key,
    revision: change.revision,
    change: change.type,
    ...(change.value !== undefined && { value: change.value }),
    ...(previous !== undefined && {
      previous: previous.value,
      previousRevision: previous.revision,
      previousCreatedAt: previous.createdAt,
      previousUpdatedAt: previous.updatedAt,
      ...(hasAttributes(previous) && { previousLife: attributesOf(previous) }),
    }),
    ...(hasAttributes(change) && { life: attributesOf(change) }),
    actor: change.actor,
    at: change.at,
    ...(change.traceparent !== undefined && { traceparent: change.traceparent }),
    writeId: change.writeId,
    ...(change.transaction !== undefined && { transaction: change.transaction }),
    ...(change.revision % MILESTONE_EVERY === 0 && { milestone: change.at }),
  };
}

export function fromChangeDocument<Value>(document: ChangeDocument<Value>): Change<Value> {
  const { previous, previousRevision, previousCreatedAt, previousUpdatedAt } = document;
  return {
    revision: document.revision,
    key: document.key,
    type: document.change,
    ...(document.value !== undefined && { value: document.value }),
    ...(previous !== undefined &&
      previousRevision !== undefined &&
      previousCreatedAt !== undefined &&
      previousUpdatedAt !== undefined && {
        previous: {
          key: document.key,
          value: previous,
          revision: previousRevision,
          createdAt: previousCreatedAt,
          updatedAt: previousUpdatedAt,
          ...document.previousLife,
        },
      }),
    ...document.life,
    actor: document.actor,
    at: document.at,
    ...(document.traceparent !== undefined && { traceparent: document.traceparent }),
    writeId: document.writeId,
    ...(document.transaction !== undefined && { transaction: document.transaction }),
  };
}

/** The record document that a change leaves behind: a tombstone when it removed the value. */
export function toRecordDocument<Value>(scope: Scope, change: Change<Value>): RecordDocument<Value> {
  return {
    id: recordDocumentId(change.key),
    ...scopeFields(scope),
    type: 'record',
    key: change.key,
    revision: change.revision,
    ...(change.value !== undefined && { value: change.value }),
    createdAt: change.previous?.createdAt ?? change.at,
    updatedAt: change.at,
    ...(change.value !== undefined && attributesOf(change)),
    ...(change.value !== undefined &&
      change.listed !== undefined && { listed: `${listedPrefix(scope.ns, scope.kind)}${change.listed}` }),
  };
}

/** The record in a document; undefined for a tombstone. */
export function fromRecordDocument<Value>(document: RecordDocument<Value>): StoredRecord<Value> | undefined {
  if (document.value === undefined) {
    return undefined;
  }
  const { ns, kind, key, value, revision, createdAt, updatedAt, listed } = document;
  return {
    key,
    value,
    revision,
    createdAt,
    updatedAt,
    ...attributesOf(document),
    ...(listed !== undefined && { listed: listed.slice(listedPrefix(ns, kind).length) }),
  };
}

/** What `listed` of a record document begins with. */
export function listedPrefix(ns: string, kind: string): string {
  return `${ns}:${kind}:`;
}

function hasAttributes({ expiresAt, lease, listed }: Attributes): boolean {
  return expiresAt !== undefined || lease !== undefined || listed !== undefined;
}

function scopeFields(scope: Scope) {
  return { scope: scopeId(scope), ns: scope.ns, kind: scope.kind, schemaVersion: SCHEMA_VERSION };
}
