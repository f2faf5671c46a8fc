import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { OperationReport } from '../../../../client/cli/environment/operation-report.ts';
import { createOutput } from '../../../../client/cli/output.ts';
import type { OperationState, OperationStep } from '../../../../client/index.ts';

const FROM = '2026-01-02T03:04:05.000Z';
const TO = '2026-01-02T03:05:10.500Z';

function step(id: string, facts: Partial<OperationStep>): OperationStep {
  return { id, verb: 'create', resource: `net.${id}`, state: 'waiting', attempts: 0, log: [], ...facts };
}

const waiting = step('b', {});
const running = step('a', {
  state: 'running',
  attempts: 1,
  startedAt: FROM,
  executor: 'http',
  log: ['half\nway'],
});
const retried = step('a', { ...running, state: 'waiting', nextAt: TO, error: 'refused\u001b[2J' });
const failed = step('a', { ...retried, state: 'failed', attempts: 2, endedAt: TO, log: ['one', 'two'] });
const skipped = step('b', { state: 'skipped', endedAt: TO });

/** What is written while an operation goes from one state to the next. */
async function told({ isTTY = false, isJson = false }): Promise<string> {
  const out = Object.assign(new PassThrough(), { isTTY, columns: 60, rows: 24 });
  const report = new OperationReport(createOutput({ isJson, out, err: new PassThrough() }));
  const show = (state: OperationState, changed: readonly OperationStep[], steps = changed, facts = {}) => {
    const done = steps.filter(({ endedAt }) => endedAt !== undefined).length;
    const progress = { done, total: steps.length };
    const command = { source: '/s', id: '1' };
    const base = {
      id: 'op_1',
      ns: 'default',
      type: 'environment.create',
      session: 'staging',
      command,
      data: 1,
    };
    const operation = { ...base, actor: 'x', acceptedAt: FROM, state, progress, steps, ...facts };
    report.show({ operation, changed });
  };
  show('queued', []);
  show('running', [step('a', {}), waiting]);
  show('running', [running], [running, waiting]);
  show('running', [{ ...running, log: ['more'] }], [{ ...running, log: ['more'] }, waiting]);
  show('running', [retried], [retried, waiting]);
  show('failed', [failed, skipped], [failed, skipped], {
    startedAt: FROM,
    endedAt: TO,
    error: { reason: 'refused', step: 'a' },
  });
  out.end();
  return await text(out);
}

describe('the report of an operation', () => {
  it('has a line for each beginning, failed attempt and end, where nobody watches a terminal', async () => {
    expect(await told({})).toBe(
      [
        'op_1  environment.create of staging, queued',
        'running    create   net.a  http  half way',
        `retry      create   net.a  http  again at ${TO}  refused [2J`,
        'failed     create   net.a  http  1 min 5 s  attempt 2  refused [2J',
        '    one',
        '    two',
        'op_1 failed after 1 min 5 s, 2 of 2 steps over, 1 of them skipped: refused (step a)',
        '',
      ].join('\n'),
    );
  });

  it('draws what is under way anew on a terminal, and leaves what is over', async () => {
    const written = await told({ isTTY: true });
    expect(picture(written)).toEqual(
      (await told({})).split('\n').filter((line) => !/^(running|retry)/.test(line)),
    );
    expect(written).toContain('\u001b[2A\r\u001b[J');
    expect(written).toContain('\nrunning, 0 of 2 steps over, 1 waiting\n');
    // A line that wraps would be two.
    expect(/^retry.*$/m.exec(visible(written))?.[0]).toHaveLength(59);
  });

  it('is one line of JSON for each change with --json, without the data of the command', async () => {
    const lines = (await told({ isJson: true, isTTY: true }))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines).toHaveLength(6);
    expect(lines[2]).toEqual({
      operation: expect.objectContaining({ id: 'op_1', state: 'running', progress: { done: 0, total: 2 } }),
      changed: [running],
    });
    expect(Object.keys(lines[5].operation)).not.toContain('data');
  });
});

// biome-ignore lint/suspicious/noControlCharactersInRegex: what a terminal is told
const SEQUENCE = /\u001b\[[0-9]*[A-Za-z]/g;

function visible(line: string): string {
  return line.replace(SEQUENCE, '');
}

/** What stands on a terminal after all of it: lines, and moves up that clear what is below. */
function picture(written: string): string[] {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: what a terminal is told
  const parts = written.split(/\u001b\[(\d+)A\r\u001b\[J/);
  let lines = [''];
  for (const [index, part] of parts.entries()) {
    if (index % 2 === 1) {
      lines = lines.slice(0, lines.length - 1 - Number(part)).concat('');
    } else {
      const [first = '', ...rest] = part.split('\n').map(visible);
      lines = [...lines.slice(0, -1), (lines.at(-1) ?? '') + first, ...rest];
    }
  }
  return lines;
}
