import { type Content, type Json, readValue, writeValue } from './content.ts';

export type Comparison =
  /** 0 means that there is no such key. */
  | { readonly key: string; readonly revision: number }
  | { readonly key: string; readonly value: Content }
  | { readonly key: string; readonly exists: boolean };

export type Operation =
  | {
      readonly put: {
        readonly key: string;
        readonly value: Content;
        /** Seconds. */
        readonly ttl?: number | undefined;
        readonly lease?: string | undefined;
      };
    }
  | { readonly delete: { readonly key: string } }
  | { readonly get: { readonly key: string } };

/** At most 49 writes and 128 operations in each branch, no key twice in one. */
export interface Transaction {
  readonly compare?: readonly Comparison[];
  /** Done where all comparisons hold; `then` on the wire, which no object of JavaScript should have. */
  readonly success?: readonly Operation[];
  /** Done where one does not hold; `else` on the wire. */
  readonly failure?: readonly Operation[];
}

export type OperationResult<Value extends Content = Content> =
  | { readonly put: { readonly key: string; readonly revision: number } }
  | { readonly delete: { readonly key: string; readonly deleted: boolean; readonly revision?: number } }
  | { readonly get: { readonly key: string; readonly value: Value; readonly revision: number } | null };

export interface TransactionResult<Value extends Content = Content> {
  /** Whether all comparisons held. */
  readonly succeeded: boolean;
  /** Of the store, after the transaction. */
  readonly revision: number;
  /** One for each operation of the branch that was taken, in its order. */
  readonly results: readonly OperationResult<Value>[];
}

export function toWire({ compare = [], success = [], failure = [] }: Transaction): object {
  return {
    compare: compare.map(comparisonToWire),
    // biome-ignore lint/suspicious/noThenProperty: the wire's word; nothing awaits this object.
    then: success.map(operationToWire),
    else: failure.map(operationToWire),
  };
}

export function fromWire<Value extends Content>(answer: TransactionResult<Value>): TransactionResult<Value> {
  return { ...answer, results: answer.results.map(resultFromWire) };
}

function comparisonToWire(comparison: Comparison): Json {
  return 'value' in comparison ? { ...comparison, value: writeValue(comparison.value) } : { ...comparison };
}

function operationToWire(operation: Operation): object {
  if (!('put' in operation)) return operation;
  return { put: { ...operation.put, value: writeValue(operation.put.value) } };
}

function resultFromWire<Value extends Content>(result: OperationResult<Value>): OperationResult<Value> {
  if (!('get' in result) || result.get === null) return result;
  return { get: { ...result.get, value: readValue(result.get.value) as Value } };
}
