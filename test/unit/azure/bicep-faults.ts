import path from 'node:path';
import type { BicepFile } from './bicep-file.ts';

/** Files by their path within infra/azure. */
export type BicepFiles = ReadonlyMap<string, BicepFile>;

export const MAIN = 'main.bicep';

/** Built-in roles that the deployment gives ("Azure built-in roles"; of Cosmos DB "Use data plane role-based access control"). */
export const ROLES: Readonly<Record<string, string>> = {
  '3913510d-42f4-4e42-8a64-420c390055eb': 'Monitoring Metrics Publisher',
  '4633458b-17de-408a-b874-0445c86b69e6': 'Key Vault Secrets User',
  '4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0': 'Azure Service Bus Data Receiver',
  '69a216fc-b8fb-44d8-bc22-1f3c2cd27a39': 'Azure Service Bus Data Sender',
  'b7e6dc6d-f1e8-4753-8033-0f276bb0955b': 'Storage Blob Data Owner',
  'ba92f5b4-2d11-453d-a403-e96b0029c9fe': 'Storage Blob Data Contributor',
  'db58b8e5-c6ad-4a2a-8342-4190687cbf4a': 'Storage Blob Delegator',
  '00000000-0000-0000-0000-000000000002': 'Cosmos DB Built-in Data Contributor',
};

/** Those of Bicep that the deployment uses: one that is not here is more likely to be misspelt than missing. */
const FUNCTIONS: ReadonlySet<string> = new Set([
  ...['allowed', 'description', 'maxLength', 'maxValue', 'metadata', 'minLength', 'minValue'],
  ...[
    'export',
    'cidrSubnet',
    'contains',
    'empty',
    'environment',
    'fail',
    'filter',
    'guid',
    'items',
    'loadTextContent',
    'map',
    'max',
    'split',
  ],
  ...[
    'string',
    'subscription',
    'subscriptionResourceId',
    'tenant',
    'toLower',
    'toObject',
    'trim',
    'union',
    'uniqueString',
    'utcNow',
  ],
]);

const GUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;

/** What a compiler of Bicep would say of the files, as far as it can be said without one; and what it would let pass of roles and descriptions. */
export function bicepFaults(files: BicepFiles): string[] {
  return [
    ...[...files].flatMap(([name, file]) =>
      [...fileFaults(file), ...importFaults(file, files), ...moduleFaults(name, file, files)].map(
        (fault) => `${name}: ${fault}`,
      ),
    ),
    ...outputFaults(files),
    ...versionFaults(files),
    ...roleFaults(files),
  ];
}

function fileFaults(file: BicepFile): string[] {
  const symbols = [...file.resources, ...file.modules].map(({ symbol }) => symbol);
  const declared = new Set([
    ...[...file.parameters.keys(), ...file.variables.keys(), ...file.types.keys()],
    ...[...symbols, ...file.locals, ...file.imports.map(({ name }) => name)],
  ]);
  const describedTypes = [...file.types].flatMap(([type, properties]) =>
    [...properties]
      .filter(([, isDescribed]) => !isDescribed)
      .map(([name]) => `${type}.${name} is not described`),
  );
  return [
    ...file.syntaxFaults,
    ...[...file.parameters]
      .filter(([, { isDescribed }]) => !isDescribed)
      .map(([name]) => `${name} is not described`),
    ...describedTypes,
    ...[...file.uses].filter((name) => !declared.has(name)).map((name) => `${name} is declared nowhere`),
    ...[...file.parameters.keys(), ...file.variables.keys()]
      .filter((name) => !file.uses.has(name))
      .map((name) => `${name} is not used`),
    ...[...file.functions]
      .filter((name) => !FUNCTIONS.has(name))
      .map((name) => `${name} is no known function`),
  ];
}

function importFaults(file: BicepFile, files: BicepFiles): string[] {
  return file.imports.flatMap(({ name, path: from }) => [
    ...(files.get(from)?.types.has(name) ? [] : [`${from} exports no ${name}`]),
    ...(file.uses.has(name) ? [] : [`${name} is not used`]),
  ]);
}

function moduleFaults(name: string, file: BicepFile, files: BicepFiles): string[] {
  return file.modules.flatMap(({ symbol, path: relative, params }) => {
    const target = files.get(path.posix.join(path.posix.dirname(name), relative));
    if (target === undefined) return [`${symbol} is of no file ${relative}`];
    const required = [...target.parameters]
      .filter(([, { isOptional }]) => !isOptional)
      .map(([param]) => param);
    const outputs = [...file.members].flatMap((member) => {
      const [of, kind, output] = member.split('.');
      return of === symbol && kind === 'outputs' && output !== undefined ? [output] : [];
    });
    return [
      ...required.filter((param) => !params.has(param)).map((param) => `${symbol} is not given ${param}`),
      ...[...params]
        .filter((param) => !target.parameters.has(param))
        .map((param) => `${symbol} knows no ${param}`),
      ...outputs
        .filter((output) => !target.outputs.has(output))
        .map((output) => `${symbol} puts out no ${output}`),
    ];
  });
}

/** Modules that nobody deploys, and what they put out and nobody takes. */
function outputFaults(files: BicepFiles): string[] {
  const uses = [...files].flatMap(([name, file]) =>
    file.modules.map(({ symbol, path: relative }) => ({
      file,
      symbol,
      target: path.posix.join(path.posix.dirname(name), relative),
    })),
  );
  return [...files].flatMap(([name, { outputs }]) => {
    if (name === MAIN || files.get(MAIN)?.imports.some(({ path: from }) => from === name)) return [];
    const users = uses.filter(({ target }) => target === name);
    if (users.length === 0) return [`${name} is not used`];
    return [...outputs]
      .filter((output) => !users.some(({ file, symbol }) => file.members.has(`${symbol}.outputs.${output}`)))
      .map((output) => `${name}: nobody takes ${output}`);
  });
}

function versionFaults(files: BicepFiles): string[] {
  const resources = [...files.values()].flatMap((file) => file.resources);
  const malformed = resources.filter(
    ({ type, apiVersion }) =>
      !/^Microsoft\.\w+(\/\w+)+$/.test(type) || !/^20\d\d-[01]\d-[0-3]\d(-preview)?$/.test(apiVersion),
  );
  const versions = Map.groupBy(resources, ({ type }) => type);
  return [
    ...malformed.map(({ symbol }) => `${symbol} is of no known form of type and version`),
    ...[...versions]
      .filter(([, same]) => new Set(same.map(({ apiVersion }) => apiVersion)).size > 1)
      .map(([type]) => `${type} is asked for in several versions`),
  ];
}

function roleFaults(files: BicepFiles): string[] {
  const found = [...files.values()].flatMap(({ text }) => text.match(GUID) ?? []);
  const assignments = [...files.values()].flatMap((file) =>
    file.resources
      .filter(({ type }) => /\/(sqlRole|role)Assignments$/.test(type))
      .map((assignment) => ({ file, assignment })),
  );
  const unknown = assignments.filter(({ file, assignment }) => {
    const [, variable = ''] = /roleDefinitionId: .*?(\w+)['})]+$/m.exec(assignment.text) ?? [];
    return ROLES[String(file.variables.get(variable))] === undefined;
  });
  const elsewhere = assignments.filter(
    ({ assignment }) => !/^\s+principalId: principalId$/m.test(assignment.text),
  );
  return [
    ...found.filter((id) => ROLES[id] === undefined).map((id) => `${id} is no known role`),
    ...Object.keys(ROLES)
      .filter((id) => !found.includes(id))
      .map((id) => `${ROLES[id]} is given to nobody`),
    ...unknown.map(({ assignment }) => `${assignment.symbol} gives no known role`),
    ...elsewhere.map(({ assignment }) => `${assignment.symbol} is of somebody else than the app`),
  ];
}
