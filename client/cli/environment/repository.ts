import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { UsageError } from '../usage-error.ts';
import { DEFINITION_EXTENSIONS, type Definition, readDefinition } from './read-definition.ts';

/** What a repository says that there should be. */
export interface Repository {
  /** Those that others depend on come first. */
  readonly templates: readonly Definition[];
  readonly environments: readonly Definition[];
  /** Where its files are. */
  readonly folder: string;
}

/** Milliseconds for fetching one. */
const FETCH_TIME_LIMIT = 300_000;
const URL_PATTERN = /^([a-z][a-z0-9+.-]*:\/\/|[\w.-]+@[\w.-]+:)/i;

/** Whether a place is fetched by git, and no folder here. */
export function isRemote(place: string): boolean {
  return URL_PATTERN.test(place);
}

/** A place as everybody may read it, wherever they are: a folder by its whole path, a URL without what opens it. */
export function describePlace(place: string, folder: string): string {
  if (!isRemote(place)) return path.resolve(folder, place);
  const url = URL.parse(place);
  if (url === null) return place;
  // Over HTTP a token often stands where the name does; over SSH the name is part of the address.
  if (url.protocol === 'https:' || url.protocol === 'http:') url.username = '';
  url.password = '';
  return url.href;
}

/**
 * Lets work be done with a folder, or with what a git URL holds at its head: `templates/*` and `environments/*`, each file JSON or YAML.
 *
 * @throws UsageError where it is none, or holds something that cannot be read.
 */
export async function withRepository<Result>(
  place: string,
  { folder, signal }: { readonly folder: string; readonly signal: AbortSignal },
  work: (repository: Repository) => Promise<Result>,
): Promise<Result> {
  if (!isRemote(place)) return await work(await readRepository(path.resolve(folder, place)));
  const copy = await mkdtemp(path.join(tmpdir(), 'skerry-repository-'));
  try {
    await fetchRepository(place, copy, signal);
    return await work(await readRepository(copy));
  } finally {
    await rm(copy, { recursive: true, force: true });
  }
}

/** The history comes without the content of its files: it is only asked which commit changed which of them. */
async function fetchRepository(url: string, folder: string, signal: AbortSignal): Promise<void> {
  const words = ['clone', '--quiet', '--filter=blob:none', '--', url, folder];
  // Nobody is there to answer a question of git's.
  const env = { ...process.env, GIT_TERMINAL_PROMPT: '0' };
  try {
    await promisify(execFile)('git', words, { env, timeout: FETCH_TIME_LIMIT, signal });
  } catch (error) {
    signal.throwIfAborted();
    const { stderr = '', message } = error as { stderr?: string; message: string };
    throw new Error(`The repository cannot be fetched: ${stderr.trim() || message}`);
  }
}

async function readRepository(folder: string): Promise<Repository> {
  const facts = await stat(folder).catch(() => undefined);
  if (facts?.isDirectory() !== true) throw new UsageError(`There is no folder ${folder}.`);
  const [templates, environments] = await Promise.all([
    readFolder(folder, 'templates'),
    readFolder(folder, 'environments'),
  ]);
  if (templates === undefined && environments === undefined) {
    throw new UsageError(`The repository has neither a folder "templates" nor one "environments".`);
  }
  return { folder, templates: inOrder(templates ?? []), environments: environments ?? [] };
}

/** @returns undefined where there is no such folder. */
async function readFolder(root: string, name: string): Promise<readonly Definition[] | undefined> {
  const names = await readdir(path.join(root, name)).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  const files = names
    ?.filter(
      (file) => !file.startsWith('.') && DEFINITION_EXTENSIONS.includes(path.extname(file).toLowerCase()),
    )
    .sort()
    .map((file) => `${name}/${file}`);
  if (files === undefined) return undefined;
  const definitions = await Promise.all(files.map((file) => readDefinition(file, { folder: root })));
  refuseTwins(definitions);
  return definitions;
}

/** @throws UsageError where two files define one thing. */
export function refuseTwins(definitions: readonly Definition[]): void {
  const known = new Map<string, string>();
  for (const { id, file } of definitions) {
    const other = known.get(id);
    if (other !== undefined) {
      throw new UsageError(
        `${other} and ${file} both define "${id}": leave one out, or give it another "id".`,
      );
    }
    known.set(id, file);
  }
}

/** Templates behind those that they depend on; where they do so in a circle Skerry says which one. */
export function inOrder(templates: readonly Definition[]): readonly Definition[] {
  const left = new Map(templates.map((template) => [template.id, template]));
  const ordered: Definition[] = [];
  const visit = (template: Definition) => {
    if (!left.delete(template.id)) return;
    const { dependsOn } = template.content;
    for (const id of Array.isArray(dependsOn) ? dependsOn : []) {
      const other = left.get(id);
      if (other !== undefined) visit(other);
    }
    ordered.push(template);
  };
  for (const template of templates) visit(template);
  return ordered;
}
