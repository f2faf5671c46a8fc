import { describe, expect, it, test } from 'vitest';
import {
  type AgentDocument,
  afterDescription,
  afterReport,
  agentDocumentSchema,
  overallState,
  type PluginDocument,
  type PluginReport,
  stateOf,
  toJson,
} from '../../../shared/status/agent-status.ts';

const INIT = 0;
const OK = 1;
const ERROR = 2;

test.each([
  { case: 'without plugins', plugins: {}, nonFatal: [], overall: OK },
  { case: 'all OK', plugins: { a: OK, b: OK }, nonFatal: [], overall: OK },
  { case: 'one starts', plugins: { a: OK, b: INIT }, nonFatal: [], overall: INIT },
  { case: 'one in error', plugins: { a: ERROR, b: OK }, nonFatal: [], overall: ERROR },
  { case: 'an error outweighs a start', plugins: { a: INIT, b: ERROR }, nonFatal: [], overall: ERROR },
  { case: 'only non-fatal ones in error', plugins: { a: ERROR, b: OK }, nonFatal: ['a'], overall: OK },
  { case: 'a fatal one too', plugins: { a: ERROR, b: ERROR }, nonFatal: ['a'], overall: ERROR },
  { case: 'a non-fatal one starts', plugins: { a: INIT, b: OK }, nonFatal: ['a'], overall: INIT },
])('the overall state, $case', ({ plugins, nonFatal, overall }) => {
  const listed = Object.entries(plugins).map(([name, state]) => ({ name, state: state as 0 | 1 | 2 }));
  expect(overallState(listed, nonFatal)).toBe(overall);
  expect(overallState(listed.toReversed(), nonFatal)).toBe(overall);
});

/** An agent whose documents are kept as Skerry keeps them. */
class Agent {
  agent: AgentDocument | undefined;
  readonly plugins = new Map<string, PluginDocument>();

  /** Tells whether anything was published. */
  report(name: string, report: PluginReport, now: number): boolean {
    const after = afterReport({ agent: this.agent, plugin: this.plugins.get(name) }, name, report, now);
    if (after !== undefined) {
      this.agent = agentDocumentSchema.parse(toJson(after.agent));
      this.plugins.set(name, after.plugin);
    }
    return after !== undefined;
  }

  get state() {
    return this.agent && stateOf(this.agent);
  }
}

describe('a report', () => {
  it('of another plugin hides no error, as the code of cn-infra lets it', () => {
    const one = new Agent();
    one.report('a', { state: 'ok' }, 1);
    one.report('b', { state: 'ok' }, 2);
    one.report('a', { state: 'error', error: 'no disk' }, 3);
    one.report('b', { state: 'init' }, 4);
    one.report('b', { state: 'ok' }, 5);
    expect(one.state).toBe('error');
    one.report('a', { state: 'ok' }, 6);
    expect(one.state).toBe('ok');
  });

  it('that says what is known is not published again', () => {
    const one = new Agent();
    expect(one.report('a', { state: 'error', error: 'x' }, 1)).toBe(true);
    expect(one.report('a', { state: 'error', error: 'x' }, 2)).toBe(false);
    expect(one.report('a', { state: 'error', error: 'y' }, 3), 'another reason').toBe(true);
    expect(one.plugins.get('a')).toEqual({ state: ERROR, error: 'y', last_change: 1, last_update: 3 });
    expect(one.agent).toMatchObject({ start_time: 1, last_change: 1, last_update: 3 });
  });

  it('is published again where one of the documents was lost', () => {
    const one = new Agent();
    one.report('a', { state: 'ok' }, 1);
    one.plugins.delete('a');
    expect(one.report('a', { state: 'ok' }, 2)).toBe(true);
    one.agent = undefined;
    expect(one.report('a', { state: 'ok' }, 3)).toBe(true);
    expect(one.agent).toMatchObject({ plugins: [{ name: 'a', state: OK }] });
  });
});

describe('what an agent says of itself', () => {
  it('replaces what it said before, and settles its state anew', () => {
    const one = new Agent();
    one.report('a', { state: 'error' }, 1);
    const lenient = afterDescription(one.agent, { buildVersion: 'v1', nonFatal: ['a'] }, 2);
    expect(lenient).toMatchObject({ state: OK, build_version: 'v1', last_change: 2, start_time: 1 });
    const strict = afterDescription(lenient, { commitHash: 'abc' }, 3);
    expect(strict).toMatchObject({ state: ERROR, commit_hash: 'abc', non_fatal_plugins: [] });
    expect(strict.build_version).toBeUndefined();
  });

  it('is enough to be OK', () => {
    expect(stateOf(afterDescription(undefined, {}, 1))).toBe('ok');
  });
});

test('a document with times that nobody can show is none', () => {
  expect(agentDocumentSchema.safeParse({ state: 1, start_time: -62_135_596_800 }).success).toBe(true);
  for (const time of [1e15, -1e12, 253_402_300_800]) {
    expect(agentDocumentSchema.safeParse({ state: 1, start_time: time }).success, String(time)).toBe(false);
  }
});

test('the documents are those of cn-infra: its names, Unix seconds, and nothing that is zero', () => {
  const one = new Agent();
  one.report('etcd', { state: 'init' }, 100);
  one.report('vpp', { state: 'ok', error: '' }, 200);
  const agent = afterDescription(one.agent, { buildVersion: 'v2', buildDate: 'May', commitHash: 'c0' }, 300);
  expect(JSON.parse(JSON.stringify(toJson(agent)))).toEqual({
    build_version: 'v2',
    build_date: 'May',
    start_time: 100,
    last_change: 100,
    last_update: 300,
    commit_hash: 'c0',
    plugins: [{ name: 'etcd' }, { name: 'vpp', state: 1 }],
  });
});
