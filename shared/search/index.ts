/**
 * Finding things. `search.ts` finds them by their texts, in an index of each namespace that is kept in memory (`search-index.ts`); what
 * there is to be found in a record is for `searchable.ts` to say. `graph.ts` finds what depends on what.
 */
export { fold } from './fold.ts';
export { type Finding, type FindingsPage, Search, type SearchRequest } from './search.ts';
export type { MatchedField } from './search-index.ts';
export { SEARCHABLE_KINDS, SEARCHED_SCOPES, type SearchableKind } from './searchable.ts';
