import { Module } from 'node:module';
import type { Log, LogLevel } from './log.ts';
import type { FunctionCallback, FunctionMetadata, LogCategory, ProgrammingModel } from './rpc.ts';

const HOOK_NAMES = ['preInvocation', 'postInvocation', 'appStart', 'appTerminate', 'log'] as const;
export type HookName = (typeof HOOK_NAMES)[number];
type HookCallback = (context: object) => unknown;

export interface RegisteredFunction {
  readonly metadata: FunctionMetadata;
  readonly callback: FunctionCallback;
}

/** Who wrote a line: the function and the invocation's own data, as log hooks see them. */
export interface LogOrigin {
  readonly functionName: string;
  readonly hookData: object;
  readonly invocationContext: unknown;
}

/** Undoes a registration, once. */
class Disposable {
  static from(...disposables: { dispose(): unknown }[]): Disposable {
    return new Disposable(() => {
      for (const disposable of disposables) disposable.dispose();
    });
  }

  #callback: (() => unknown) | undefined;

  constructor(callback: () => unknown) {
    this.#callback = callback;
  }

  dispose(): void {
    const callback = this.#callback;
    this.#callback = undefined;
    callback?.();
  }
}

/**
 * The module `@azure/functions-core`, which Azure's Node worker builds in and no package provides: what an app
 * registers, and the hooks around it (azure-functions-nodejs-worker, `src/coreApi`).
 */
export class CoreApi {
  readonly appHookData = {};
  readonly #appLevelHookData = {};
  readonly #functions = new Map<string, RegisteredFunction>();
  readonly #hooks: Record<HookName, HookCallback[]> = {
    preInvocation: [],
    postInvocation: [],
    appStart: [],
    appTerminate: [],
    log: [],
  };
  readonly #log: Log;
  #model: ProgrammingModel | undefined;
  #locked = false;

  constructor(log: Log) {
    this.#log = log;
  }

  get functions(): readonly RegisteredFunction[] {
    return [...this.#functions.values()];
  }

  get model(): ProgrammingModel | undefined {
    return this.#model;
  }

  hasHooks(name: HookName): boolean {
    return this.#hooks[name].length > 0;
  }

  /** Runs the hooks of `name` one after another in the order of their registration. */
  async runHooks(name: HookName, context: object): Promise<void> {
    for (const callback of this.#hooks[name]) await callback(context);
  }

  /** Runs `appStart` or `appTerminate` hooks with the app's own hook data. */
  async runAppHooks(name: 'appStart' | 'appTerminate', properties: object): Promise<void> {
    const readOnly = { hookData: this.#appLevelHookData, appHookData: this.appHookData };
    await this.runHooks(name, withReadOnly(properties, readOnly));
  }

  /** From here on the app can no longer register functions. */
  lock(): void {
    this.#locked = true;
  }

  /** Makes every later `require('@azure/functions-core')` of this process answer with this API, as the worker does. */
  install(): void {
    const api = this.#exports();
    const requireFromDisk = Module.prototype.require;
    Module.prototype.require = function (this: Module, id: string): unknown {
      return id === '@azure/functions-core' ? api : requireFromDisk.call(this, id);
    };
  }

  /** Writes a line of the app; log hooks may change level and message of the user's own lines only. */
  log(level: LogLevel, category: LogCategory, message: string, origin?: LogOrigin): void {
    const name = origin === undefined ? 'Host.Worker' : `Function.${origin.functionName}`;
    const line = this.hasHooks('log')
      ? this.#runLogHooks(level, category, message, origin)
      : { level, message };
    this.#log.write(line.level, category === 'user' ? `${name}.User` : name, line.message);
  }

  #runLogHooks(level: LogLevel, category: LogCategory, message: string, origin: LogOrigin | undefined) {
    const context = withReadOnly(
      { level, message },
      {
        category,
        hookData: origin?.hookData ?? this.#appLevelHookData,
        appHookData: this.appHookData,
        invocationContext: origin?.invocationContext,
      },
    );
    for (const callback of this.#hooks.log) {
      try {
        callback(context);
      } catch {
        // A log hook must not fail what it only watches.
      }
    }
    return category === 'user' ? context : { level, message };
  }

  #exports(): object {
    return {
      version: '3.10.1',
      hostVersion: '4.34.0',
      setProgrammingModel: (model: ProgrammingModel) => {
        this.#model = model;
      },
      getProgrammingModel: () => this.#model,
      registerFunction: (metadata: FunctionMetadata, callback: FunctionCallback) =>
        this.#registerFunction(metadata, callback),
      registerHook: (name: string, callback: HookCallback) => this.#registerHook(name, callback),
      log: (level: LogLevel, category: LogCategory, message: string) => this.log(level, category, message),
      Disposable,
    };
  }

  #registerFunction(metadata: FunctionMetadata, callback: FunctionCallback): Disposable {
    this.#refuseAfterStart();
    const id = metadata.functionId ?? metadata.name;
    if (this.#functions.has(id))
      throw systemError(new Error(`A function with id "${id}" has already been registered.`));
    this.#functions.set(id, { metadata, callback });
    return new Disposable(() => {
      this.#refuseAfterStart();
      this.#functions.delete(id);
    });
  }

  #refuseAfterStart(): void {
    if (this.#locked) throw systemError(new Error('A function can only be registered during app startup.'));
  }

  #registerHook(name: string, callback: HookCallback): Disposable {
    const known = HOOK_NAMES.find((hookName) => hookName === name);
    if (known === undefined) throw systemError(new RangeError(`Unrecognized hook "${name}"`));
    this.#hooks[known].push(callback);
    return new Disposable(() => {
      const index = this.#hooks[known].indexOf(callback);
      if (index >= 0) this.#hooks[known].splice(index, 1);
    });
  }
}

/** Adds properties that a hook can read but not replace. */
export function withReadOnly<Target extends object, ReadOnly extends object>(
  target: Target,
  properties: ReadOnly,
): Target & ReadOnly {
  const descriptors: PropertyDescriptorMap = {};
  for (const [name, value] of Object.entries(properties)) {
    descriptors[name] = {
      enumerable: true,
      get: () => value,
      set: () => {
        throw systemError(new TypeError(`Cannot assign to read only property '${name}'`));
      },
    };
  }
  return Object.defineProperties(target, descriptors) as Target & ReadOnly;
}

/** The library tells the host's own errors from the app's by this flag. */
function systemError(error: Error): Error {
  return Object.assign(error, { isAzureFunctionsSystemError: true });
}
