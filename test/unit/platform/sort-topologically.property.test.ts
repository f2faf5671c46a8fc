import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { reverse, sortTopologically } from '../../../shared/platform/sort-topologically.ts';
import { printedSeed, runs } from '../../integration/seeded-runs.ts';

const NODES = 12;

/** Few edges leave most graphs without a cycle, many leave most with one. */
const graphs = fc.array(fc.tuple(fc.nat(NODES - 1), fc.nat(NODES - 1)), { maxLength: 20 }).map((edges) => {
  const graph = new Map<string, string[]>(Array.from({ length: NODES }, (_, index) => [`n${index}`, []]));
  for (const [node, before] of edges) graph.get(`n${node}`)?.push(`n${before}`);
  return graph;
});

/** Kahn's way: what is left when nothing can be taken away any more is in a cycle, or behind one. */
function hasCycle(graph: ReadonlyMap<string, readonly string[]>): boolean {
  const left = new Map(graph);
  for (;;) {
    const free = [...left].filter(([, before]) => before.every((one) => !left.has(one)));
    if (free.length === 0) return left.size > 0;
    for (const [node] of free) left.delete(node);
  }
}

const parameters = { seed: printedSeed('graph.property'), numRuns: runs(500, 50_000) };

describe('sorting', () => {
  it('puts every node behind those before it, or names a cycle that is one', () => {
    fc.assert(
      fc.property(graphs, (graph) => {
        const { order, cycle } = sortTopologically(graph);
        expect([...order].sort()).toEqual([...graph.keys()].sort());
        expect(cycle !== undefined).toBe(hasCycle(graph));
        if (cycle === undefined) {
          const places = new Map(order.map((node, index) => [node, index]));
          for (const [node, before] of graph) {
            for (const one of before) expect(places.get(one)).toBeLessThan(places.get(node) ?? -1);
          }
        } else {
          expect(cycle.length).toBeGreaterThan(1);
          expect(cycle.at(-1)).toBe(cycle[0]);
          expect(new Set(cycle).size).toBe(cycle.length - 1);
          for (const [index, node] of cycle.slice(0, -1).entries()) {
            expect(graph.get(node)).toContain(cycle[index + 1]);
          }
        }
      }),
      parameters,
    );
  });

  it('can be reversed, whatever the cycles', () => {
    fc.assert(
      fc.property(graphs, (graph) => {
        const { order, cycle } = sortTopologically(graph);
        const reversed = reverse(graph, order);
        expect(hasCycle(reversed)).toBe(false);
        const edges = (one: ReadonlyMap<string, readonly string[]>) =>
          [...one].flatMap(([node, others]) => others.map((other) => [node, other] as const));
        const expected = edges(graph).map(([node, before]) => `${before} ${node}`);
        const found = edges(reversed).map(([node, after]) => `${node} ${after}`);
        if (cycle === undefined) expect(found.sort()).toEqual(expected.sort());
        else expect(expected).toEqual(expect.arrayContaining(found));
      }),
      parameters,
    );
  });

  it('needs neither recursion nor much time for a long chain', () => {
    const chain = new Map(Array.from({ length: 20_000 }, (_, index) => [`n${index}`, [`n${index + 1}`]]));
    chain.set('n20000', ['n0']);
    expect(sortTopologically(chain).cycle).toHaveLength(20_002);
  });
});
