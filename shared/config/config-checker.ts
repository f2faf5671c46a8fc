import type { Ajv2020, ErrorObject, ValidateFunction } from 'ajv/dist/2020.js';
import { unprocessable } from '../platform/errors.ts';
import { fieldPath } from '../platform/http/check.ts';
import { createTimedRunner } from '../platform/timed-runner.ts';
import type { Json } from '../records/index.ts';
import type { JsonSchema } from './application.ts';
import type { SchemaView } from './config-secrets.ts';
import { locateSchemaFault } from './schema-fault.ts';
import type { Path } from './secret-form.ts';

const DIALECT = 'https://json-schema.org/draft/2020-12/schema';
const MAX_SCHEMA_BYTES = 64 * 1024;
const MAX_CACHED_VALIDATORS = 32;

/** Enough for honest schemas by far. Longer, and one request would hold up all others of the process. */
const MAX_CHECK_MILLISECONDS = 250;

/** Which faults are looked for: the first is enough for most, and costs less. */
type Which = 'first' | 'all';

/** Keywords whose fault at a place can be due to anything below it. */
const UNCLEAR: ReadonlySet<string> = new Set([
  'anyOf',
  'oneOf',
  'not',
  'if',
  'contains',
  'enum',
  'const',
  'uniqueItems',
  'unevaluatedProperties',
  'unevaluatedItems',
]);

/** Where a configuration is at odds with its schema. */
export interface ConfigFault {
  /** Names of members and indexes of items that lead there. */
  readonly path: Path;
  /** A clause for the end of a sentence. */
  readonly message: string;
  /** The place in the schema. */
  readonly schemaPath: string;
}

/**
 * Checks configurations against the JSON Schemas (2020-12) of their applications. Schemas come from callers,
 * so compiling and checking are stopped after a time, in the middle of a regular expression if need be;
 * references lead nowhere but into the schema itself. Not guarded: that a caller makes the process spend that
 * time again and again.
 */
export class ConfigChecker {
  readonly #createAjv: (which: Which) => Ajv2020;
  readonly #metaschema: Ajv2020;
  /** By the schema's text, in order of use. */
  readonly #validators = new Map<string, ValidateFunction>();
  readonly #run = createTimedRunner(MAX_CHECK_MILLISECONDS);

  /** Loads the validator, which costs some 50 ms that most processes never have to spend. */
  static async load(): Promise<ConfigChecker> {
    const [{ Ajv2020 }, { default: formats }] = await Promise.all([
      import('ajv/dist/2020.js'),
      import('ajv-formats'),
    ]);
    // Inlined, a reference that is repeated would let a small schema grow into megabytes of code.
    const options = { strict: false, logger: false, inlineRefs: false } as const;
    return new ConfigChecker(
      (which) =>
        formats.default(
          new Ajv2020({ ...options, allErrors: which === 'all', meta: false, validateSchema: false }),
        ),
      new Ajv2020(options),
    );
  }

  private constructor(createAjv: (which: Which) => Ajv2020, metaschema: Ajv2020) {
    this.#createAjv = createAjv;
    this.#metaschema = metaschema;
  }

  /** @throws SkerryError `unprocessable` naming the path in `schema` or `config` that is at fault. */
  check({ config, clear, hidden }: SchemaView, schema: JsonSchema): void {
    const fault =
      hidden.length === 0 ? this.faultOf(config, schema) : this.#faultBeside(hidden, config, schema);
    if (fault !== undefined) {
      throw configFault(fault, clear);
    }
  }

  /**
   * Makes sure that a schema can be used.
   *
   * @param place where it stands in the request.
   * @throws SkerryError `unprocessable` naming the path in it that is at fault.
   */
  checkSchema(schema: JsonSchema, place: string): void {
    this.#validatorFor(schema, place);
  }

  /**
   * The first place where a value is at odds with a schema; undefined where it satisfies it.
   *
   * @throws SkerryError `unprocessable` for a schema that cannot be used, or takes too long.
   */
  faultOf(config: Json, schema: JsonSchema): ConfigFault | undefined {
    const [error] = this.#errorsOf(config, schema, 'first');
    return error && toConfigFault(error);
  }

  /** The first fault that stands whatever is hidden at some places. */
  #faultBeside(hidden: readonly Path[], config: Json, schema: JsonSchema): ConfigFault | undefined {
    const errors = this.#errorsOf(config, schema, 'all');
    const open = errors
      .filter(({ instancePath, keyword }) => {
        const path = pointerPath(instancePath);
        return UNCLEAR.has(keyword) && hidden.some((place) => isWithin(place, path));
      })
      .map(({ instancePath }) => pointerPath(instancePath));
    const unclear = [...hidden, ...open];
    const error = errors.find(({ instancePath }) => {
      const path = pointerPath(instancePath);
      return !unclear.some((place) => isWithin(path, place));
    });
    return error && toConfigFault(error);
  }

  #errorsOf(config: Json, schema: JsonSchema, which: Which): readonly ErrorObject[] {
    const validate = this.#validatorFor(schema, 'schema', which);
    const isValid = this.#run(
      () => validate(config),
      (cause) => {
        throw unprocessable(
          'The configuration cannot be checked against its schema in reasonable time or depth.',
          {
            field: 'schema',
            fix: 'Avoid patterns with nested repetition, and references that go in a circle.',
            cause,
          },
        );
      },
    );
    return isValid === true ? [] : (validate.errors ?? []);
  }

  #validatorFor(schema: JsonSchema, place: string, which: Which = 'first'): ValidateFunction {
    const text = JSON.stringify(schema);
    const key = `${which} ${text}`;
    const validator = this.#validators.get(key) ?? this.#compile(schema, text, place, which);
    this.#validators.delete(key);
    this.#validators.set(key, validator);
    const [leastRecentlyUsed] = this.#validators.keys();
    if (this.#validators.size > MAX_CACHED_VALIDATORS && leastRecentlyUsed !== undefined) {
      this.#validators.delete(leastRecentlyUsed);
    }
    return validator;
  }

  /** Each schema has a validator instance of its own, or the `$id` of one application would be another's. */
  #compile(schema: JsonSchema, text: string, place: string, which: Which): ValidateFunction {
    this.#checkForm(schema, text, place);
    return this.#run(
      () => this.#createAjv(which).compile(schema),
      (cause) => {
        const { path, detail } = locateSchemaFault(schema, cause);
        throw unprocessable(`The schema cannot be used: ${detail}.`, {
          field: fieldPath([place, ...path]),
          fix: 'Correct the schema at this place.',
          cause,
        });
      },
    );
  }

  #checkForm(schema: JsonSchema, text: string, place: string): void {
    if (Buffer.byteLength(text) > MAX_SCHEMA_BYTES) {
      throw unprocessable(`The schema is larger than ${MAX_SCHEMA_BYTES / 1024} KiB.`, { field: place });
    }
    if (typeof schema === 'boolean') {
      return;
    }
    if (schema.$schema !== undefined && schema.$schema !== DIALECT && schema.$schema !== `${DIALECT}#`) {
      throw unprocessable('The schema is written in another dialect than 2020-12.', {
        field: `${place}.$schema`,
        fix: `Leave it out, or write ${DIALECT}.`,
      });
    }
    if (schema.$async !== undefined) {
      throw unprocessable('The schema uses "$async", which is not of JSON Schema.', {
        field: `${place}.$async`,
      });
    }
    const isSchema = this.#metaschema.validateSchema(schema);
    const [error] = this.#metaschema.errors ?? [];
    if (isSchema !== true && error !== undefined) {
      throw unprocessable(`The schema is not valid at this place: it ${error.message}.`, {
        field: fieldPath([place, ...pointerPath(error.instancePath)]),
        fix: 'Correct it; JSON Schema 2020-12 says what may stand there.',
      });
    }
  }
}

function toConfigFault(error: ErrorObject): ConfigFault {
  const params: Record<string, unknown> = error.params;
  const member = params.missingProperty ?? params.additionalProperty ?? params.unevaluatedProperty;
  return {
    path: [...pointerPath(error.instancePath), ...(typeof member === 'string' ? [member] : [])],
    message: error.message ?? 'it does not satisfy the schema',
    schemaPath: error.schemaPath,
  };
}

/** What is within a secret is not named: it may be a part of it. */
function configFault({ path, message, schemaPath }: ConfigFault, secrets: readonly Path[]): Error {
  const field = fieldPath(['config', ...(secrets.find((secret) => isWithin(path, secret)) ?? path)]);
  return unprocessable(`The configuration does not satisfy its schema at ${field}: ${message}.`, {
    field,
    fix: `Correct the configuration, or change the schema (${schemaPath}).`,
  });
}

/** Whether a path leads to a place, or below it. */
function isWithin(path: Path, place: Path): boolean {
  return place.every((step, index) => String(path[index]) === String(step));
}

/** The parts of a JSON Pointer (RFC 6901), array indexes as numbers. */
function pointerPath(pointer: string): (string | number)[] {
  return pointer
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
    .map((part) => (/^\d+$/.test(part) ? Number(part) : part));
}
