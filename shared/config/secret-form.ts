import type { VaultReference } from '../platform/key-vaults.ts';
import type { Json } from '../records/index.ts';

/** Names of members and indexes of items that lead to a value. */
export type Path = readonly (string | number)[];

/** What stands for a secret in a configuration. */
export type SecretForm =
  /** `{"$secret": value}`, as somebody gives it. */
  | { readonly kind: 'clear'; readonly value: Json }
  /** `{"$secret": {"sealed": text}}`, as it is stored. */
  | { readonly kind: 'sealed'; readonly sealed: string }
  /** `{"$ref": "keyvault://VAULT/NAME/VERSION"}`, the version left out for the newest. */
  | { readonly kind: 'reference'; readonly reference: VaultReference }
  /** What would be one of them, but for a fault. */
  | { readonly kind: 'malformed'; readonly reason: string; readonly fix: string };

/** As Key Vault has names of vaults and secrets, and versions. */
const REFERENCE = /^keyvault:\/\/([a-z][0-9a-z-]{1,22}[0-9a-z])\/([0-9a-z-]{1,127})(?:\/([0-9a-f]{32}))?$/i;

/** What a value stands for, as a whole; undefined where it is plain configuration. */
export function secretFormOf(value: Json | undefined): SecretForm | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return undefined;
  }
  if (Object.hasOwn(value, '$secret')) {
    return secretOf(value);
  }
  const target = Object.hasOwn(value, '$ref') ? value.$ref : undefined;
  return typeof target === 'string' && /^keyvault:/i.test(target) ? referenceOf(value, target) : undefined;
}

/** The same value with something else in place of each secret. */
export function replaceSecrets(
  value: Json,
  replace: (form: SecretForm, path: Path, standing: Json) => Json,
  path: Path = [],
): Json {
  if (typeof value !== 'object' || value === null) {
    return value;
  }
  const form = secretFormOf(value);
  if (form !== undefined) {
    return replace(form, path, value);
  }
  if (Array.isArray(value)) {
    return value.map((item, index) => replaceSecrets(item, replace, [...path, index]));
  }
  const members = Object.entries(value).map(([name, member]) => [
    name,
    member === undefined ? member : replaceSecrets(member, replace, [...path, name]),
  ]);
  return Object.fromEntries(members);
}

/** The secrets in a value, and where they stand. */
export function secretsIn(value: Json): { readonly form: SecretForm; readonly path: Path }[] {
  const found: { form: SecretForm; path: Path }[] = [];
  replaceSecrets(value, (form, path, standing) => {
    found.push({ form, path });
    return standing;
  });
  return found;
}

function secretOf(value: { [name: string]: Json | undefined }): SecretForm {
  const { $secret: secret, ...others } = value;
  if (secret === undefined || Object.keys(others).length > 0) {
    return {
      kind: 'malformed',
      reason: 'has other members beside "$secret"',
      fix: 'Write {"$secret": VALUE} and nothing else there.',
    };
  }
  const { sealed, ...rest } = typeof secret === 'object' && !Array.isArray(secret) ? { ...secret } : {};
  if (typeof sealed === 'string' && Object.keys(rest).length === 0) {
    return { kind: 'sealed', sealed };
  }
  if (secretsIn(secret).length > 0) {
    return {
      kind: 'malformed',
      reason: 'holds another secret or reference',
      fix: 'Make each of them a secret of its own.',
    };
  }
  return { kind: 'clear', value: secret };
}

function referenceOf(value: object, target: string): SecretForm {
  const [, vault, name, version] = REFERENCE.exec(target) ?? [];
  return vault !== undefined && name !== undefined && Object.keys(value).length === 1
    ? { kind: 'reference', reference: { vault, name, version } }
    : {
        kind: 'malformed',
        reason: 'is no reference to a secret of Key Vault',
        fix: 'Write {"$ref": "keyvault://VAULT/NAME"}, with "/VERSION" behind it if need be, and nothing else there.',
      };
}
