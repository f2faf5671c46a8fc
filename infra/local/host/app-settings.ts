import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { Connection } from '../../../shared/platform/connection.ts';
import { readJson } from './read-json.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

const localSettingsSchema = z.object({
  IsEncrypted: z.literal(false, 'encrypted settings are not supported here').default(false),
  Values: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()]).transform(String)).default({}),
  ConnectionStrings: z.record(z.string(), z.string()).default({}),
  Host: z.object({ CORS: z.undefined('CORS is not supported here').optional() }).optional(),
});

/**
 * The app's settings from `local.settings.json`, if there is one; connection strings appear under `ConnectionStrings:<name>`.
 *
 * @throws Error if the file is there but malformed, encrypted, or asks for what is not supported here.
 */
export async function readLocalSettings(appDirectory: string): Promise<Record<string, string>> {
  const path = join(appDirectory, 'local.settings.json');
  if (!existsSync(path)) return {};
  const { Values, ConnectionStrings } = await readJson(path, localSettingsSchema);
  const connections = Object.entries(ConnectionStrings).map(([name, value]) => [
    `ConnectionStrings:${name}`,
    value,
  ]);
  return { ...Object.fromEntries(connections), ...Values };
}

/** The settings of an app as triggers name them (webjobs-sdk, `NameResolver` and `GetWebJobsConnectionString`). */
export class AppSettings {
  readonly #values = new Map<string, string>();

  constructor(environment: Environment) {
    for (const [name, value] of Object.entries(environment)) {
      if (value !== undefined) this.#values.set(settingKey(name), value);
    }
  }

  get(name: string): string | undefined {
    return this.#values.get(settingKey(name));
  }

  /**
   * Replaces each `%NAME%` by its setting.
   *
   * @throws Error if a setting is missing.
   */
  resolve(text: string): string {
    return text.replaceAll(/%([^%]+)%/g, (_, name: string) => {
      const value = this.get(name);
      if (value === undefined) throw new Error(`setting '${name}' is missing, which '%${name}%' refers to`);
      return value;
    });
  }

  /**
   * The connection that a trigger's `connection` names: a connection string, or else an endpoint for the identity of the app.
   *
   * @param endpointName of the part that holds the endpoint, as the extension of the trigger calls it.
   * @throws Error if there is none.
   */
  connection(name: string, endpointName: string): Connection {
    for (const candidate of [`AzureWebJobs${name}`, name]) {
      const value = this.get(`ConnectionStrings:${candidate}`) ?? this.get(candidate);
      if (value) return value;
      const endpoint = this.get(`${candidate}:${endpointName}`);
      const clientId = this.get(`${candidate}:clientId`);
      if (endpoint) return { endpoint, ...(clientId !== undefined && { clientId }) };
    }
    throw new Error(
      `setting '${name}' is missing, which should hold a connection string, or '${name}__${endpointName}'`,
    );
  }

  isDisabled(functionName: string): boolean {
    const names = [`AzureWebJobs.${functionName}.Disabled`, `AzureWebJobs_${functionName}_Disabled`];
    return names.some((name) => ['true', '1'].includes(this.get(name)?.toLowerCase() ?? ''));
  }
}

/** Configuration keys ignore case, and environment variables write their `:` as `__`. */
function settingKey(name: string): string {
  return name.replaceAll('__', ':').toLowerCase();
}
