import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { ensureSecretKey, SECRET_NAME } from '../../../infra/azure/hooks/ensure-secret-key.ts';
import { prepareEnvironment } from '../../../infra/azure/hooks/prepare-environment.ts';
import { PACKAGE_FOLDER } from '../../../infra/build/package-folder.ts';
import packageJson from '../../../package.json' with { type: 'json' };
import { parseBicep } from './bicep-file.ts';

const root = path.resolve(import.meta.dirname, '../../..');
const read = (name: string) => readFileSync(path.join(root, name), 'utf8');

interface Hook {
  readonly shell: string;
  readonly run: string;
  readonly interactive: boolean;
}

interface AzureYaml {
  readonly infra: { readonly path: string; readonly module: string };
  readonly services: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly pipeline: { readonly variables: readonly string[] };
  readonly hooks: Readonly<Record<string, Readonly<Record<'posix' | 'windows', Hook>>>>;
}

interface Workflow {
  readonly permissions: Readonly<Record<string, string>>;
  readonly jobs: Readonly<
    Record<string, { readonly steps: readonly { readonly uses?: string; readonly run?: string }[] }>
  >;
}

describe('azure.yaml', () => {
  const { infra, services, pipeline, hooks }: AzureYaml = parse(read('azure.yaml'));

  test('names the folder of Bicep, and the package as it is made', () => {
    expect(existsSync(path.join(root, infra.path, `${infra.module}.bicep`))).toBe(true);
    const [service, ...others] = Object.entries(services);
    expect(others).toEqual([]);
    expect(service?.[1]).toMatchObject({ host: 'function', remoteBuild: false });
    expect(path.join(root, String(service?.[1].project), String(service?.[1].dist))).toBe(PACKAGE_FOLDER);
    expect(read('infra/azure/main.bicep')).toContain(`serviceName: '${service?.[0]}'`);
  });

  test('has azd make the package, by the one script that it runs for a service in JavaScript', () => {
    const { scripts } = packageJson;
    expect(services.skerry?.language).toBe('js');
    for (const script of [scripts.build, scripts.package]) {
      expect(script).toMatch(/ && node infra\/build\/bundle.ts && .*\bnode infra\/build\/package.ts$/);
    }
    // With one that leaves node_modules out, azd refuses to deploy a package that is not to be built in Azure.
    expect(existsSync(path.join(root, '.funcignore'))).toBe(false);
  });

  test('gives the pipeline each variable that is set, so that it does not provision by defaults', () => {
    const given = read('infra/azure/main.parameters.json').match(/(?<=\$\{)(?!AZURE_)\w+/g) ?? [];
    expect(pipeline.variables.toSorted()).toEqual([...new Set(given)].toSorted());
    // The name that `azd pipeline config` looks for; without it azd makes a workflow of its own.
    const [, taken = ''] = /test\("([^"]+)"\)/.exec(read('.github/workflows/azure-dev.yml')) ?? [];
    expect(pipeline.variables.filter((name) => !new RegExp(taken).test(name))).toEqual([]);
  });

  test('runs hooks that exist, the same on every system, and shows what they print', () => {
    expect(Object.keys(hooks)).toEqual(['preprovision', 'postprovision']);
    for (const { posix, windows } of Object.values(hooks)) {
      expect(posix).toEqual({ shell: 'sh', run: windows.run, interactive: true });
      expect(windows.shell).toBe('pwsh');
      const [, script = ''] = /^npm run --silent (\S+)$/.exec(posix.run) ?? [];
      const command = (packageJson.scripts as Record<string, string>)[script] ?? '';
      expect(existsSync(path.join(root, command.split(' ').at(-1) ?? ''))).toBe(true);
    }
  });
});

describe('main.parameters.json', () => {
  const { parameters } = JSON.parse(read('infra/azure/main.parameters.json')) as {
    parameters: Record<string, { value: unknown }>;
  };
  const main = parseBicep(read('infra/azure/main.bicep'));

  test('gives every parameter, each from a variable of azd, with the fallback that Bicep has', () => {
    expect([...Object.keys(parameters), 'month'].toSorted()).toEqual([...main.parameters.keys()].toSorted());
    const scalars = Object.entries(parameters).filter(([name]) => name !== 'appSettings');
    for (const [name, { value }] of scalars) {
      const [, variable, fallback] = /^\$\{((?:AZURE|SKERRY)_\w+)(?:=(.*))?\}$/.exec(String(value)) ?? [];
      expect(variable, name).toBeDefined();
      if (fallback !== undefined) expect(fallback, name).toBe(String(main.parameters.get(name)?.fallback));
    }
  });

  test('gives every setting that the type has from the variable of its name, empty unless set', () => {
    const { types } = parseBicep(read('infra/azure/settings.bicep'));
    const names = [...(types.get('settings')?.keys() ?? [])];
    expect(names.length).toBeGreaterThan(20);
    const expected = Object.fromEntries(names.map((name) => [name, `\${${name}=}`]));
    expect(parameters.appSettings?.value).toEqual(expected);
  });

  test('is told of in docs/azure.md, variable by variable', () => {
    const variables = read('infra/azure/main.parameters.json').match(/SKERRY_AZURE_\w+/g) ?? [];
    const manual = read('docs/azure.md');
    expect(variables.filter((name) => !manual.includes(`\`${name}\``))).toEqual([]);
  });
});

describe('workflows', () => {
  test.each(['ci', 'azure-dev'])('%s uses actions by their commit and no secret', (name) => {
    const text = read(`.github/workflows/${name}.yml`);
    const { jobs }: Workflow = parse(text);
    const steps = Object.values(jobs).flatMap((job) => job.steps);
    const actions = steps.flatMap(({ uses }) => uses ?? []);
    expect(actions.length).toBeGreaterThan(0);
    for (const action of actions) expect(action).toMatch(/^[\w-]+\/[\w-]+@[0-9a-f]{40}$/);
    expect(text).not.toContain('secrets.');
  });

  test('CI runs what a newcomer runs', () => {
    const { jobs }: Workflow = parse(read('.github/workflows/ci.yml'));
    expect(Object.values(jobs).flatMap(({ steps }) => steps)).toContainEqual({ run: '.ci/run' });
    expect(existsSync(path.join(root, '.ci/run'))).toBe(true);
  });

  test('the deployment signs in by OpenID Connect', () => {
    const { permissions }: Workflow = parse(read('.github/workflows/azure-dev.yml'));
    expect(permissions).toEqual({ contents: 'read', 'id-token': 'write' });
    expect(read('.github/workflows/azure-dev.yml')).toContain('--federated-credential-provider github');
  });
});

describe('before provisioning', () => {
  async function prepare(variables: Record<string, string>) {
    const set: Record<string, string> = {};
    const said: string[] = [];
    await prepareEnvironment({
      variables,
      setVariable: async (name, value) => {
        set[name] = value;
      },
      now: new Date('2026-11-26T10:00:00Z'),
      say: (line) => said.push(line),
    });
    return { set, said: said.join('\n') };
  }

  test('a token is made, shown once, and kept as its hash alone', async () => {
    const { set, said } = await prepare({});
    const [token = '', ...others] = said.match(/skt_[\w-]{43}/g) ?? [];
    expect(others).toEqual([]);
    expect(set).toEqual({
      SKERRY_AZURE_BUDGET_START: '2026-11-01',
      SKERRY_BOOTSTRAP_TOKEN_SHA256: createHash('sha256').update(token).digest('hex'),
    });
  });

  test.each([
    ['there is one', { SKERRY_BOOTSTRAP_TOKEN_SHA256: 'ab'.repeat(32) }],
    ['none is wanted', { SKERRY_AZURE_BOOTSTRAP: 'off' }],
    ['a log would keep it', { CI: 'true' }],
  ])('no token is made where %s', async (_, variables) => {
    const { set, said } = await prepare({ SKERRY_AZURE_BUDGET_START: '2026-10-01', ...variables });
    expect(set).toEqual({});
    expect(said).not.toContain('skt_');
  });
});

describe('after provisioning', () => {
  const ids = { vault: '/subscriptions/s/vaults/v', app: '/subscriptions/s/sites/a' };
  const key = Buffer.alloc(32, 7);

  async function ensure(answers: Readonly<Record<string, number>>) {
    const sent: string[] = [];
    const said: string[] = [];
    await ensureSecretKey({
      ...ids,
      accessToken: 'token-of-whoever-deploys',
      randomBytes: (size) => key.subarray(0, size),
      say: (line) => said.push(line),
      fetch: async (url, { method = '', body, headers } = {}) => {
        expect(headers).toMatchObject({ authorization: 'Bearer token-of-whoever-deploys' });
        sent.push(`${method} ${new URL(String(url)).pathname} ${body ?? ''}`.trim());
        return new Response('{"error":"why"}', { status: answers[method] ?? 500 });
      },
    });
    return { sent, said: said.join('\n') };
  }

  test('a key is made where there is none, and the app told to read it', async () => {
    const { sent, said } = await ensure({ GET: 404, PUT: 201, POST: 200 });
    const secret = `${ids.vault}/secrets/${SECRET_NAME}`;
    expect(sent).toEqual([
      `GET ${secret}`,
      `PUT ${secret} ${JSON.stringify({ properties: { value: key.toString('base64') } })}`,
      `POST ${ids.app}/config/configreferences/appsettings/refresh`,
    ]);
    expect(said).not.toContain(key.toString('base64'));
    expect(read('infra/azure/modules/function-app.bicep')).toContain(`secrets/${SECRET_NAME})`);
  });

  test('a key that is there stays, and is read: the run before may have failed behind it', async () => {
    const { sent, said } = await ensure({ GET: 200, POST: 200 });
    expect(sent.map((request) => request.split(' ')[0])).toEqual(['GET', 'POST']);
    expect(said).toBe('');
  });

  test('no answer is told, with what to do', async () => {
    const fetch = () =>
      Promise.reject(new TypeError('fetch failed', { cause: new Error('getaddrinfo ENOTFOUND') }));
    await expect(
      ensureSecretKey({ ...ids, accessToken: '', randomBytes: () => key, say: () => {}, fetch }),
    ).rejects.toThrow(/does not answer .*ENOTFOUND.*azd hooks run postprovision/);
  });

  test.each([{ GET: 403 }, { GET: 404, PUT: 403 }, { GET: 404, PUT: 201, POST: 403 }])(
    'a refusal is told: %j',
    async (answers) => {
      await expect(ensure(answers)).rejects.toThrow(/403 .*why.*azd hooks run postprovision/);
    },
  );
});
