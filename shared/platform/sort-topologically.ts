/** What comes before what: for every node those that come before it. Names that are no nodes of it count for nothing. */
export type Graph = ReadonlyMap<string, readonly string[]>;

export interface Sorting {
  /** All nodes, each behind those that come before it, as far as there is no cycle. */
  readonly order: readonly string[];
  /** The first cycle that was met, as a walk along dependencies that ends where it begins. */
  readonly cycle?: readonly string[];
}

/** Sorts topologically, depth first, so that what belongs together stays together; in linear time, and without recursion. */
export function sortTopologically(graph: Graph): Sorting {
  const order: string[] = [];
  const entered = new Set<string>();
  const left = new Set<string>();
  let cycle: readonly string[] | undefined;
  for (const root of graph.keys()) {
    const walk = entered.has(root) ? [] : [stepInto(root)];
    for (let top = walk.at(-1); top !== undefined; top = walk.at(-1)) {
      const next = top.before[top.next];
      top.next += 1;
      if (next === undefined) {
        left.add(top.node);
        order.push(top.node);
        walk.pop();
      } else if (!entered.has(next)) {
        if (graph.has(next)) walk.push(stepInto(next));
      } else if (!left.has(next)) {
        const nodes = walk.map(({ node }) => node);
        cycle ??= [...nodes.slice(nodes.indexOf(next)), next];
      }
    }
  }
  return { order, ...(cycle !== undefined && { cycle }) };

  function stepInto(node: string): { node: string; before: readonly string[]; next: number } {
    entered.add(node);
    return { node, before: graph.get(node) ?? [], next: 0 };
  }
}

/** The same nodes the other way round. Edges that go against the order, as only those of a cycle do, are left out. */
export function reverse(graph: Graph, order: readonly string[]): Map<string, string[]> {
  const places = new Map(order.map((node, index) => [node, index]));
  const reversed = new Map<string, string[]>([...order].reverse().map((node) => [node, []]));
  for (const [node, before] of graph) {
    for (const one of before) {
      if ((places.get(one) ?? Number.POSITIVE_INFINITY) < (places.get(node) ?? -1)) {
        reversed.get(one)?.push(node);
      }
    }
  }
  return reversed;
}
