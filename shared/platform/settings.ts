import { z } from 'zod';
import { isAddressRange } from './address-ranges.ts';
import { connectionSchema, gatherConnections } from './connection.ts';
import { isPrivateLine } from './is-private-line.ts';
import { originCredentialsSchema } from './origin-credentials.ts';
import { CONNECTIONS } from './topology.ts';

const flag = z
  .enum(['true', 'false', '1', '0', ''])
  .default('false')
  .transform((value) => value === 'true' || value === '1');

const seconds = (fallback: number) => z.coerce.number().positive().default(fallback);

const optionalText = z
  .string()
  .optional()
  .transform((value) => value || undefined);

/** Texts separated by commas; none unless given. */
const list = z
  .string()
  .default('')
  .transform((text) => text.split(',').map((part) => part.trim()))
  .transform((parts) => parts.filter((part) => part !== ''));

const secondsList = (fallback: string) =>
  z
    .string()
    .regex(/^\d+(\.\d+)?(,\d+(\.\d+)?)*$/, 'must be seconds separated by commas, such as 5,300,1800')
    .default(fallback)
    .transform((text) => text.split(',').map(Number));

const VAULT = /^[a-z][a-z0-9-]{1,22}[a-z0-9](\.vault\.(azure\.net|azure\.cn|usgovcloudapi\.net))?$/i;

/** An empty text is no number, 0 least of all, which would be no limit. */
const limit = <Schema extends z.ZodType<number>>(schema: Schema) =>
  z.preprocess((text) => (text === '' ? undefined : text), schema.optional());

function isOrigin(text: string): boolean {
  return URL.canParse(text) && new URL(text).origin === text;
}

const plainSchema = z.object({
  [CONNECTIONS.cosmos]: connectionSchema('cosmos'),
  [CONNECTIONS.serviceBus]: connectionSchema('serviceBus'),
  [CONNECTIONS.blob]: connectionSchema('blob'),
  /** Set by `npm start` alone: the rules of a laptop, where nobody but its user gets in. */
  SKERRY_LOCAL: flag,
  /** Whether callers have to say who they are: `auto` is everywhere but locally. */
  SKERRY_AUTH: z.enum(['auto', 'on']).default('auto'),
  /** SHA-256 in hex of a token that may do everything, for the first days of an app. */
  SKERRY_BOOTSTRAP_TOKEN_SHA256: z
    .string()
    .regex(/^([0-9a-f]{64})?$/i, 'must be 64 hexadecimal digits')
    .optional()
    .transform((text) => text || undefined),
  /** The tenant of Microsoft Entra ID whose members and programs are known here; none unless given. */
  SKERRY_ENTRA_TENANT: z
    .string()
    .regex(/^([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})?$/i, 'must be the id of a tenant, a GUID')
    .default('')
    .transform((text) => text.toLowerCase() || undefined),
  /** What their access tokens have to be for, as `aud` has it; several are separated by commas. */
  SKERRY_ENTRA_AUDIENCE: list,
  /** Who issues them: the public cloud unless given. */
  SKERRY_ENTRA_AUTHORITY: z
    .string()
    .default('')
    .transform((text) => (text === '' ? 'https://login.microsoftonline.com' : text.replace(/\/+$/, ''))),
  /** Set by Azure Functions where it signs callers in itself (Easy Auth). */
  WEBSITE_AUTH_ENABLED: z
    .string()
    .default('')
    .transform((text) => text.toLowerCase() === 'true'),
  /** Who may use the surfaces of replaced systems without a token: nobody, everybody, or addresses and ranges of them. */
  SKERRY_LEGACY_ACCESS: z
    .string()
    .default('off')
    .transform((text) =>
      text === 'off' || text === 'open' ? text : text.split(',').map((part) => part.trim()),
    )
    .refine((setting) => typeof setting === 'string' || setting.every(isAddressRange), {
      error:
        'must be "off", "open", or addresses and ranges separated by commas, such as 10.0.0.0/8,192.0.2.7',
    }),
  /** Requests that one caller may make of a process in a second; 0 is no limit. 100 unless given, where callers are told apart. */
  SKERRY_RATE_LIMIT: limit(z.coerce.number().nonnegative()),
  /** Origins of pages that may call the API, separated by commas, or `*`. */
  SKERRY_CORS_ORIGINS: list.refine(
    (origins) => origins.every((origin) => origin === '*' || isOrigin(origin)),
    {
      error: 'must be origins such as https://console.example separated by commas, or *',
    },
  ),
  /** The base URL under which callers reach this app, where it differs from the one that they used. */
  SKERRY_PUBLIC_URL: z.url().optional(),
  /** Set by Azure Functions: the name under which the app is reached, unless it has others. */
  WEBSITE_HOSTNAME: z.string().default('localhost'),
  /** Set by Azure Functions: the name of the app. */
  WEBSITE_SITE_NAME: optionalText,
  /** Where metrics and traces go, if anywhere; docs/operations.md. The functions host reads the first three too. */
  APPLICATIONINSIGHTS_CONNECTION_STRING: optionalText,
  APPLICATIONINSIGHTS_AUTHENTICATION_STRING: optionalText,
  OTEL_EXPORTER_OTLP_ENDPOINT: optionalText,
  OTEL_SERVICE_NAME: optionalText,
  /** Milliseconds between two exports of spans, and of metrics. */
  OTEL_BSP_SCHEDULE_DELAY: z.coerce.number().int().positive().default(5_000),
  OTEL_METRIC_EXPORT_INTERVAL: z.coerce.number().int().positive().default(60_000),
  SKERRY_WEBHOOK_ALLOW_PRIVATE: flag,
  SKERRY_WEBHOOK_TIMEOUT_SECONDS: seconds(15),
  /** Pauses between the attempts of one delivery, in seconds; after the last one it is dead. */
  SKERRY_WEBHOOK_RETRY_SECONDS: secondsList('5,300,1800,7200,18000,36000,50400,72000,86400'),
  /** Ports that endpoints may have, where private ones are not allowed. */
  SKERRY_WEBHOOK_PORTS: z
    .string()
    .regex(/^\d{1,5}(,\d{1,5})*$/, 'must be ports separated by commas, such as 443,8443')
    .default('443,8443')
    .transform((text) => text.split(',').map(Number)),
  /** Whether endpoints are asked for their consent unless a subscription says otherwise; `auto` is everywhere but locally. */
  SKERRY_WEBHOOK_CONSENT: z.enum(['auto', 'on', 'off']).default('auto'),
  /** Keys of 32 bytes, base64, separated by commas: the first seals secrets, all of them open what was sealed. */
  SKERRY_SECRET_KEYS: list
    .refine((keys) => keys.every((key) => Buffer.from(key, 'base64').length === 32), {
      error: 'must be keys of 32 bytes in base64, separated by commas',
    })
    .transform((keys) => keys.map((key) => Buffer.from(key, 'base64'))),
  /** Vaults whose secrets configurations may refer to: names, or hosts where they are not of the public cloud, separated by commas. */
  SKERRY_KEYVAULTS: list.refine((vaults) => vaults.every((vault) => VAULT.test(vault)), {
    error: 'must be names of vaults, such as skerry-prod,payments.vault.azure.cn',
  }),
  /** Of the user-assigned identity that reads them; Azure's own SDKs go by this name as well. */
  AZURE_CLIENT_ID: optionalText,
  /** What executors show to whom they call: a JSON object of origins, each with a `token`, or a `secret` that signs. */
  SKERRY_EXECUTOR_CREDENTIALS: originCredentialsSchema.prefault('{}'),
  /** How far the clocks of two instances may differ; a subscription to many scopes hears of changes this much older than itself. */
  SKERRY_CLOCK_SKEW_MILLISECONDS: z.coerce.number().nonnegative().default(1000),
  /** How long an expired instance stays listed before it is removed. */
  SKERRY_EXPIRED_GRACE_SECONDS: seconds(300),
  /** Watches that a process holds at a time; each is a request that waits, which the host counts as running. */
  SKERRY_WATCH_MAX_HELD: z.coerce.number().int().positive().default(1000),
  /** Those of one caller among them; 0 is no limit. 250 unless given, where callers are told apart. */
  SKERRY_WATCH_MAX_HELD_PER_CALLER: limit(z.coerce.number().int().nonnegative()),
  /** Subscriptions that one caller may have in a namespace; 0 is no limit. 1000 unless given, where callers are told apart. */
  SKERRY_MAX_SUBSCRIPTIONS: limit(z.coerce.number().int().nonnegative()),
  /** What compaction keeps of a scope: so many of its newest changes, and all that are younger than so many days. */
  SKERRY_RETENTION_CHANGES: z.coerce.number().int().min(1).default(1000),
  SKERRY_RETENTION_DAYS: z.coerce.number().nonnegative().default(30),
  SKERRY_FEED_POLL_MILLISECONDS: z.coerce.number().int().positive().default(500),
  SKERRY_SWEEP_SCHEDULE: z.string().default('0 * * * * *'),
  /** What cleanup keeps of a bundle: so many of its newest versions, and all that are younger than so many days. */
  SKERRY_BUNDLE_RETENTION_VERSIONS: z.coerce.number().int().min(1).default(50),
  SKERRY_BUNDLE_RETENTION_DAYS: z.coerce.number().nonnegative().default(30),
  /** How often status endpoints of environments are asked, while they are well. */
  SKERRY_STATUS_SECONDS: seconds(60),
  /** How long after its deployment an environment may be unhealthy before that has failed. */
  SKERRY_VALIDATION_SECONDS: seconds(600),
  /** How long before its planned destruction an environment says so. */
  SKERRY_DESTRUCTION_WARNING_HOURS: z.coerce.number().nonnegative().default(24),
  /** Steps of an operation that are under way at a time. */
  SKERRY_STEPS_AT_ONCE: z.coerce.number().int().min(1).max(40).default(10),
  /** How long an executor has for one attempt of a step; what lasts longer has to be asked after. */
  SKERRY_STEP_TIMEOUT_SECONDS: z.coerce.number().positive().max(240).default(60),
  /** Pauses between the attempts of a step, in seconds; the last one again for all that follow. */
  SKERRY_STEP_RETRY_SECONDS: secondsList('2,10,30,120'),
  /** How long the sweep lets an operation be that is under way: what was lost of it is found again after that. */
  SKERRY_OPERATION_CHECK_SECONDS: seconds(60),
  /** How long an operation is kept after its end. */
  SKERRY_OPERATION_RETENTION_DAYS: seconds(30),
  SKERRY_BUNDLE_CLEANUP_SCHEDULE: z.string().default('0 20 * * * *'),
});

/** Names of all that the app reads from its environment, connections by the name that their parts begin with. */
export const SETTING_NAMES: readonly string[] = Object.keys(plainSchema.shape);

const settingsSchema = plainSchema.superRefine((settings, context) => {
  const { SKERRY_ENTRA_TENANT: tenant, SKERRY_ENTRA_AUDIENCE: audiences, SKERRY_LOCAL: isLocal } = settings;
  const refuse = (name: string, message: string) =>
    context.addIssue({ code: 'custom', path: [name], message });
  if (tenant === undefined && audiences.length > 0) {
    refuse('SKERRY_ENTRA_TENANT', 'must be given with SKERRY_ENTRA_AUDIENCE');
  }
  const authority = settings.SKERRY_ENTRA_AUTHORITY;
  if (!isPrivateLine(authority) || (!isLocal && !/^https:/i.test(authority))) {
    refuse(
      'SKERRY_ENTRA_AUTHORITY',
      'must be an https URL; http is for the loopback interface with SKERRY_LOCAL',
    );
  }
});

/** What the app reads from its environment, checked and with defaults filled in. */
export type Settings = z.output<typeof settingsSchema>;

/** Whether everybody may do everything, as on a laptop. */
export function isOpenToAll({
  SKERRY_LOCAL,
  SKERRY_AUTH,
}: Pick<Settings, 'SKERRY_LOCAL' | 'SKERRY_AUTH'>): boolean {
  return SKERRY_LOCAL && SKERRY_AUTH !== 'on';
}

/**
 * Reads the settings of this app.
 *
 * @throws Error that names each setting that is missing or malformed, so that the app fails at start and not at the first request.
 */
export function readSettings(environment: Readonly<Record<string, string | undefined>>): Settings {
  const parsed = settingsSchema.safeParse({ ...environment, ...gatherConnections(environment) });
  if (!parsed.success) {
    const faults = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
    throw new Error(`Settings are missing or malformed:\n  ${faults.join('\n  ')}`);
  }
  return parsed.data;
}
