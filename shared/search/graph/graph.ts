/** What a graph can be asked about. `external` is what Skerry does not keep. */
export const GRAPH_KINDS = ['environment', 'resource', 'resource-group', 'template'] as const;

export type GraphKind = (typeof GRAPH_KINDS)[number] | 'external';

/** `contains`: an environment its parts, a group its resources. `made-from`: what a template made, or is to make. */
export type EdgeType = 'contains' | 'made-from' | 'depends-on';

export interface GraphNode {
  /** `KIND/ID`, as the path of its own graph has it; of resources `resource/ENVIRONMENT/RESOURCE`. */
  readonly id: string;
  readonly kind: GraphKind;
  readonly name: string;
}

/** From what needs something to what it needs, whichever was asked for. */
export interface GraphEdge {
  readonly from: string;
  readonly to: string;
  readonly type: EdgeType;
}

export interface Graph {
  readonly root: string;
  /** Those that are nearer to the root first. */
  readonly nodes: readonly GraphNode[];
  /** All of those between nodes that are shown which lead on from one of them. */
  readonly edges: readonly GraphEdge[];
  /** There, and true, where there are more nodes than `MAX_GRAPH_NODES`. */
  readonly truncated?: true;
}

export interface GraphRequest {
  readonly kind: (typeof GRAPH_KINDS)[number];
  readonly id: string;
  readonly direction: 'dependencies' | 'dependents';
  /** Edges between the root and what is shown, at most. */
  readonly depth: number;
}

export const MAX_GRAPH_NODES = 1_000;

export function nodeId(kind: GraphKind, id: string): string {
  return `${kind}/${id}`;
}
