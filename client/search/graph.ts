import { keyPath } from '../transport/path.ts';
import type { CallOptions, Transport } from '../transport/transport.ts';

export type GraphKind = 'environment' | 'resource' | 'resource-group' | 'template';

export interface GraphNode {
  /** `KIND/ID`. */
  readonly id: string;
  /** `external` is what Skerry does not keep. */
  readonly kind: GraphKind | 'external';
  readonly name: string;
}

/** From what needs something to what it needs. */
export interface GraphEdge {
  readonly from: string;
  readonly to: string;
  readonly type: 'contains' | 'made-from' | 'depends-on';
}

export interface DependencyGraph {
  readonly root: string;
  /** Those nearer to the root first. */
  readonly nodes: readonly GraphNode[];
  readonly edges: readonly GraphEdge[];
  /** Most nodes of an answer. */
  readonly limit: number;
  /** There where there are more. */
  readonly truncated?: true;
}

export interface GraphOptions extends CallOptions {
  /** `dependencies` unless told. */
  readonly direction?: 'dependencies' | 'dependents' | undefined;
  /** Most edges between the root and what is shown; 100 unless told. */
  readonly depth?: number | undefined;
}

const MEDIA_TYPES = { dot: 'text/vnd.graphviz', mermaid: 'text/vnd.mermaid' } as const;

/** Tells what depends on what. */
export class Graph {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /**
   * @param id of resources and groups `ENVIRONMENT/ID`.
   * @throws SkerryProblem `not-found`.
   */
  async get(
    kind: GraphKind,
    id: string,
    { signal, direction, depth }: GraphOptions = {},
  ): Promise<DependencyGraph> {
    return await this.#transport.json<DependencyGraph>({
      path: pathOf(kind, id),
      query: { direction, depth },
      signal,
    });
  }

  /** The same as a drawing, in the language of Graphviz or of Mermaid. */
  async draw(
    kind: GraphKind,
    id: string,
    language: keyof typeof MEDIA_TYPES,
    { signal, direction, depth }: GraphOptions = {},
  ): Promise<string> {
    const { bytes } = await this.#transport.send({
      path: pathOf(kind, id),
      query: { direction, depth },
      headers: { accept: MEDIA_TYPES[language] },
      signal,
    });
    return new TextDecoder().decode(bytes);
  }
}

function pathOf(kind: GraphKind, id: string): string {
  return `graph/${kind}/${keyPath(id)}`;
}
