import type { BlobClient } from '@azure/storage-blob';

export interface BlobGrant {
  readonly permissions: { readonly read?: boolean; readonly create?: boolean; readonly write?: boolean };
  /** Milliseconds since the Unix epoch. */
  readonly expiresAt: number;
  /** What a browser saves it as. */
  readonly fileName?: string;
}

/**
 * A link to one blob that grants something to whoever has it (a service SAS, signed with the account's key, which the
 * connection string holds). It goes over https alone, unless the storage itself has none.
 */
export async function signBlobUrl(
  client: BlobClient,
  { permissions, expiresAt, fileName }: BlobGrant,
): Promise<string> {
  const { BlobSASPermissions, SASProtocol } = await import('@azure/storage-blob');
  return await client.generateSasUrl({
    permissions: BlobSASPermissions.from(permissions),
    expiresOn: new Date(expiresAt),
    protocol: client.url.startsWith('https:') ? SASProtocol.Https : SASProtocol.HttpsAndHttp,
    ...(fileName !== undefined && { contentDisposition: `attachment; filename="${fileName}"` }),
  });
}
