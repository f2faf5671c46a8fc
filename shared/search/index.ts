/**
 * Finding things. `search.ts` finds them by their texts, in an index of each namespace that is kept in memory (`search-index.ts`); what
 * there is to be found in a record is for `searchable.ts` to say. `graph/` tells what depends on what.
 */
export { fold } from './fold.ts';
export { toDot, toMermaid } from './graph/draw-graph.ts';
export { GRAPH_KINDS, type Graph, type GraphRequest, MAX_GRAPH_NODES } from './graph/graph.ts';
export { Graphs, unknownNode } from './graph/graphs.ts';
export { type Finding, type FindingsPage, Search, type SearchRequest } from './search.ts';
export type { MatchedField } from './search-index.ts';
export { rangesOf, SEARCHABLE_KINDS, SEARCHED_SCOPES, type SearchableKind } from './searchable.ts';
