import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { parse as parseYaml, YAMLError } from 'yaml';
import { parseJson } from '../read-value.ts';
import { UsageError } from '../usage-error.ts';

/** What a file defines, by its id: the member `id`, else the file's name. */
export interface Definition {
  readonly id: string;
  readonly content: Readonly<Record<string, unknown>>;
  /** As it is told to people. */
  readonly file: string;
}

export interface DefinitionSource {
  /** What relative paths are relative to. */
  readonly folder: string;
  /** Where `-` may stand for standard input. */
  readonly readInput?: () => Promise<Buffer>;
}

export const DEFINITION_EXTENSIONS: readonly string[] = ['.yaml', '.yml', '.json'];

/**
 * Reads a file of one object, JSON or YAML.
 *
 * @param file `-` is standard input where that may be, which has to name its id.
 * @throws UsageError
 */
export async function readDefinition(
  file: string,
  { folder, readInput }: DefinitionSource,
): Promise<Definition> {
  const isInput = file === '-' && readInput !== undefined;
  const text = String(isInput ? await readInput() : await readDefinitionFile(file, folder));
  const extension = path.extname(file).toLowerCase();
  // YAML is a superset of JSON, and what is piped in has no extension.
  const value: unknown = extension === '.json' ? parseJson(text, file) : parseDocument(text, file);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new UsageError(`${file} does not hold an object: begin with "name: …".`);
  }
  const { id = isInput ? undefined : path.basename(file, path.extname(file)), ...content } =
    value as Readonly<Record<string, unknown>>;
  if (typeof id !== 'string' || id === '')
    throw new UsageError(`${file} names no "id", which must be a text.`);
  return { id, content, file };
}

async function readDefinitionFile(file: string, folder: string): Promise<Buffer> {
  try {
    return await readFile(path.resolve(folder, file));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') throw new UsageError(`There is no file ${file}.`);
    if (code === 'EISDIR') throw new UsageError(`${file} is a folder: name the files that it holds.`);
    throw error;
  }
}

function parseDocument(text: string, file: string): unknown {
  try {
    // Dates stay as they are written, and what JSON cannot say becomes what it would.
    return JSON.parse(JSON.stringify(parseYaml(text, { logLevel: 'error', schema: 'core' })) ?? 'null');
  } catch (error) {
    if (error instanceof YAMLError || error instanceof ReferenceError || error instanceof SyntaxError) {
      if (error instanceof YAMLError && error.code === 'MULTIPLE_DOCS') {
        throw new UsageError(`${file} holds several documents: give each a file of its own.`);
      }
      // The first line says what and where; those below quote the file.
      throw new UsageError(`${file} is not YAML: ${error.message.split(/:?\n/)[0]}`);
    }
    throw error;
  }
}
