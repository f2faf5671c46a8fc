import { notFound, type SkerryError } from '../../platform/errors.ts';
import type { Records } from '../../records/index.ts';
import { type Graph, type GraphEdge, type GraphRequest, MAX_GRAPH_NODES, nodeId } from './graph.ts';
import { KnownGraph } from './known-graph.ts';

/** What depends on what in a namespace, read as it stands. */
export class Graphs {
  readonly #records: Records;
  readonly #maxNodes: number;

  constructor(records: Records, maxNodes = MAX_GRAPH_NODES) {
    this.#records = records;
    this.#maxNodes = maxNodes;
  }

  /** @throws SkerryError `not-found`. */
  async around(ns: string, { kind, id, direction, depth }: GraphRequest): Promise<Graph> {
    const known = new KnownGraph(this.#records, ns);
    const root = nodeId(kind, id);
    if (!(await known.has(kind, id))) {
      throw unknownNode(kind, id);
    }
    const shown = new Set([root]);
    const edges = new Set<GraphEdge>();
    let truncated = false;
    let ring = [root];
    for (let distance = 0; distance < depth && ring.length > 0; distance += 1) {
      const next: string[] = [];
      for (const from of ring) {
        for (const edge of await known.edgesOf(from, direction)) {
          const other = direction === 'dependencies' ? edge.to : edge.from;
          if (!shown.has(other)) {
            if (shown.size === this.#maxNodes) {
              truncated = true;
              continue;
            }
            shown.add(other);
            next.push(other);
          }
          edges.add(edge);
        }
      }
      ring = next;
    }
    return {
      root,
      nodes: [...shown].map((node) => known.node(node)),
      edges: [...edges],
      ...(truncated && { truncated }),
    };
  }
}

/** The error for what there is not. */
export function unknownNode(kind: string, id: string): SkerryError {
  return notFound(`There is no ${kind} "${id}".`);
}
