/**
 * Connection strings with the official emulators' well-known keys, so that any Azure SDK client connects as its
 * documentation says. They protect nothing and are no secrets.
 */

const COSMOS_KEY = 'C2y6yDjf5/R+ob0N8A7Cgv30VRDJIWEHLM+4QDU5DE2nQ9nDuVTqobD4b8mGGyPMbIZnqyMsEcaGQy67XIw/Jw==';
export const BLOB_ACCOUNT = 'devstoreaccount1';
export const BLOB_KEY =
  'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==';

export function cosmosConnectionString(port: number): string {
  return `AccountEndpoint=http://127.0.0.1:${port}/;AccountKey=${COSMOS_KEY};`;
}

export function serviceBusConnectionString(port: number): string {
  return `Endpoint=sb://127.0.0.1:${port};SharedAccessKeyName=RootManageSharedAccessKey;SharedAccessKey=SAS_KEY_VALUE;UseDevelopmentEmulator=true;`;
}

export function blobConnectionString(port: number, protocol: 'http' | 'https' = 'http'): string {
  return (
    `DefaultEndpointsProtocol=${protocol};AccountName=${BLOB_ACCOUNT};AccountKey=${BLOB_KEY};` +
    `BlobEndpoint=${protocol}://127.0.0.1:${port}/${BLOB_ACCOUNT};`
  );
}
