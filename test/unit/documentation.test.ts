import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { START_USAGE } from '../../infra/local/launch/options.ts';
import { SETTING_NAMES } from '../../shared/platform/settings.ts';

const root = path.resolve(import.meta.dirname, '../..');
const read = (file: string) => readFileSync(path.join(root, file), 'utf8');

/** The first cells of all rows of the tables of a page. */
const subjects = (file: string) =>
  Array.from(read(file).matchAll(/^\| (.*?) \|/gm), ([, cell]) => cell).join('\n');

it('the README names every flag of npm start', () => {
  const flags = Array.from(START_USAGE.matchAll(/^ {2}(--[a-z-]+)/gm), ([, flag = '']) => flag);
  expect(flags.length).toBeGreaterThan(10);
  const named = subjects('README.md');
  expect(flags.filter((flag) => flag !== '--help' && !named.includes(flag))).toEqual([]);
});

it("the README, or the page of telemetry, names every setting that is not the platform's", () => {
  const named = `${subjects('README.md')}\n${subjects('docs/operations.md')}`;
  const whole = (name: string) => new RegExp(`\`${name}\``).test(named);
  expect(SETTING_NAMES.filter((name) => !name.startsWith('WEBSITE_') && !whole(name))).toEqual([]);
});

it('the architecture names every folder of shared', () => {
  const named = subjects('docs/architecture.md');
  const folders = readdirSync(path.join(root, 'shared'), { withFileTypes: true }).filter((entry) =>
    entry.isDirectory(),
  );
  expect(folders.map(({ name }) => name).filter((name) => !named.includes(`${name}/`))).toEqual([]);
});
