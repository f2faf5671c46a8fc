import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Graph, toDot, toMermaid } from '../../../shared/search/index.ts';
import { printedSeed } from '../../integration/seeded-runs.ts';

const EVIL = [
  '"]; drop',
  'a"]\n  n9["x',
  '\\',
  '\\" -> "',
  '"; } digraph { x',
  '`**bold**`',
  '%% comment',
  'end',
  '<img src=x onerror=alert(1)>',
  '#quot;',
  'a\u2028b\r\nc\u0000',
  '\ud800',
];

function graphOf(name: string): Graph {
  const nodes = [
    { id: `environment/${name}`, kind: 'environment', name },
    { id: `external/${name}`, kind: 'external', name },
  ] as const;
  const edges = [{ from: nodes[0].id, to: nodes[1].id, type: 'depends-on' }] as const;
  return { root: nodes[0].id, nodes, edges };
}

/** What is left of a line of DOT when its quoted strings are read as Graphviz reads them. */
function outsideOfQuotes(text: string): string {
  return text.replace(/"(?:[^"\\]|\\[\s\S])*"/g, 'TEXT');
}

const DOT = [
  'digraph {',
  '  rankdir=LR;',
  '  n0 [label=TEXT, tooltip=TEXT, shape=house];',
  '  n1 [label=TEXT, tooltip=TEXT, shape=ellipse];',
  '  n0 -> n1 [label=TEXT, style=solid];',
  '}\n',
].join('\n');

const MERMAID =
  /^flowchart LR\n {2}n0\["[^"\n`<>%;]*"\]\n {2}n1\["[^"\n`<>%;]*"\]\n {2}n0 -->\|"depends-on"\| n1\n$/;

function expectHarmless(name: string) {
  expect(outsideOfQuotes(toDot(graphOf(name)))).toBe(DOT);
  const mermaid = toMermaid(graphOf(name));
  // Numbers of characters are all that an escape may hold.
  expect(mermaid.replace(/#\d+;/g, '')).toMatch(MERMAID);
  for (const drawn of [toDot(graphOf(name)), mermaid]) expect(drawn.isWellFormed()).toBe(true);
}

describe('a drawn graph', () => {
  it.each(EVIL)('has the name %j in its labels alone', (name) => {
    expectHarmless(name);
  });

  it('has any name in its labels alone', () => {
    const unit = fc.oneof(
      fc.constantFrom(...'"\\]#;\n`'),
      fc.nat(0xffff).map((code) => String.fromCharCode(code)),
    );
    const name = fc.string({ unit, maxLength: 30 });
    fc.assert(fc.property(name, expectHarmless), { seed: printedSeed('drawn graph') });
  });

  it('shows names as they are', () => {
    expect(toDot(graphOf('Prod "1"'))).toContain(String.raw`label="Prod \"1\"\nenvironment"`);
    expect(toMermaid(graphOf('Prod "1"'))).toContain('n0["Prod #34;1#34; (environment)"]');
  });
});
