/**
 * Key-value stores: keys of the caller's choice in stores that are scopes, so that one transaction can span a store. Start
 * reading at `key-values.ts`; `content.ts` says how content that is no JSON is kept, `key.ts` which keys there are.
 */
export { rawContentOf, toRawValue } from './content.ts';
export { pathOfKey } from './key.ts';
export type { KeyValue } from './key-value.ts';
export { type KeyListing, KeyValues, type PrefixDeletion, unknownKey } from './key-values.ts';
export type {
  Comparison,
  Operation,
  OperationResult,
  TransactionAnswer,
  TransactionInput,
} from './transaction.ts';
