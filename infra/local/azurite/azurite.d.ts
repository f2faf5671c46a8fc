// Azurite ships no types. Only what main.ts uses is declared, as it stands in version 3.36.
declare module 'azurite/dist/src/blob/BlobServer.js' {
  class BlobServer {
    constructor(configuration: object);
    start(): Promise<void>;
    close(): Promise<void>;
    getHttpServerAddress(): string;
  }
  const exported: { readonly default: typeof BlobServer };
  export = exported;
}

declare module 'azurite/dist/src/blob/BlobConfiguration.js' {
  interface ExtentFolder {
    readonly locationPath: string;
    readonly locationId: string;
    readonly maxConcurrency: number;
  }
  class BlobConfiguration {
    constructor(
      host: string,
      port: number,
      keepAliveSeconds: number,
      metadataFile: string,
      extentMetadataFile: string,
      extentFolders: readonly ExtentFolder[],
      enableAccessLog: boolean,
      accessLog: undefined,
      enableDebugLog: boolean,
      debugLogFile: undefined,
      loose: boolean,
      skipApiVersionCheck: boolean,
      certificateFile?: string,
      keyFile?: string,
      password?: string,
      oauth?: 'basic',
    );
  }
  const exported: { readonly default: typeof BlobConfiguration };
  export = exported;
}
