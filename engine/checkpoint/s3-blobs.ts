import type { S3Client } from '@aws-sdk/client-s3';
import { errorText, MillraceError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import { type BlobStorage, keySegments } from './blob-storage.ts';

export interface S3BlobsOptions {
  readonly bucket: string;
  /** What every key begins with, without a slash at its end. Default: nothing. */
  readonly prefix?: string;
  /** Of a store other than Amazon's; buckets are then part of the path. */
  readonly endpoint?: string;
  /** Default: the environment's, with an endpoint of your own `us-east-1`. */
  readonly region?: string;
  /** Default: the environment's, as the AWS SDK finds them. */
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string };
}

/**
 * Blobs in an S3 bucket, by the AWS SDK, which is loaded here and nowhere else. The SDK repeats what fails in passing.
 * @throws MR_CONFIG_INVALID when `@aws-sdk/client-s3` is not installed or the prefix is no path
 */
export async function s3Blobs(options: S3BlobsOptions): Promise<BlobStorage> {
  if (options.prefix !== undefined) keySegments(options.prefix);
  const sdk = await loadSdk();
  const client = new sdk.S3Client({
    ...(options.endpoint === undefined ? {} : { endpoint: options.endpoint, forcePathStyle: true }),
    ...(options.region === undefined
      ? options.endpoint === undefined
        ? {}
        : { region: 'us-east-1' }
      : { region: options.region }),
    ...(options.credentials === undefined ? {} : { credentials: options.credentials }),
    maxAttempts: LIMITS.objectAttemptsMax,
    // The SDK's own default checksums make other stores refuse or spoil objects. Blobs carry a CRC of their own.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: {
      connectionTimeout: LIMITS.objectConnectMs,
      requestTimeout: LIMITS.objectRequestMs,
      throwOnRequestTimeout: true,
    },
  });
  return new S3Blobs(sdk, client, options);
}

type Sdk = typeof import('@aws-sdk/client-s3');

async function loadSdk(): Promise<Sdk> {
  try {
    return await import('@aws-sdk/client-s3');
  } catch (cause) {
    throw new MillraceError(
      'MR_CONFIG_INVALID',
      `State in S3 needs the package @aws-sdk/client-s3, which cannot be loaded: ${errorText(cause)}. Install it, or keep checkpoints in Redis or a folder.`,
      { cause },
    );
  }
}

class S3Blobs implements BlobStorage {
  readonly #sdk: Sdk;
  readonly #client: S3Client;
  readonly #bucket: string;
  readonly #prefix: string;

  constructor(sdk: Sdk, client: S3Client, { bucket, prefix }: S3BlobsOptions) {
    this.#sdk = sdk;
    this.#client = client;
    this.#bucket = bucket;
    this.#prefix = prefix === undefined ? '' : `${prefix}/`;
  }

  async put(key: string, bytes: Uint8Array): Promise<void> {
    const place = this.#place(key);
    // A Buffer: its length is known, so that the body is sent in one piece and can be sent again.
    const Body = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    await this.#doing('write', key, () =>
      this.#client.send(new this.#sdk.PutObjectCommand({ ...place, Body })),
    );
  }

  async get(key: string): Promise<Uint8Array | null> {
    const place = this.#place(key);
    return this.#doing('read', key, async () => {
      try {
        const { Body } = await this.#client.send(new this.#sdk.GetObjectCommand(place));
        return (await Body?.transformToByteArray()) ?? new Uint8Array(0);
      } catch (error) {
        if (error instanceof this.#sdk.NoSuchKey) return null;
        throw error;
      }
    });
  }

  async list(prefix: string): Promise<readonly string[]> {
    const keys: string[] = [];
    await this.#doing('list', prefix, async () => {
      const pages = this.#sdk.paginateListObjectsV2(
        { client: this.#client },
        { Bucket: this.#bucket, Prefix: this.#prefix + prefix },
      );
      for await (const { Contents = [] } of pages)
        for (const { Key = '' } of Contents) keys.push(Key.slice(this.#prefix.length));
    });
    return keys;
  }

  /** One by one: not every store can delete several at once. */
  async delete(keys: readonly string[]): Promise<void> {
    const waiting = keys.values();
    const work = async () => {
      for (const key of waiting) {
        const command = new this.#sdk.DeleteObjectCommand(this.#place(key));
        await this.#doing('delete', key, () => this.#client.send(command));
      }
    };
    await Promise.all(Array.from({ length: LIMITS.blobReadsInFlightMax }, work));
  }

  async close(): Promise<void> {
    this.#client.destroy();
  }

  #place(key: string): { readonly Bucket: string; readonly Key: string } {
    return { Bucket: this.#bucket, Key: this.#prefix + keySegments(key).join('/') };
  }

  async #doing<T>(what: string, key: string, act: () => Promise<T>): Promise<T> {
    try {
      return await act();
    } catch (cause) {
      throw new MillraceError(
        'MR_CHECKPOINT_FAILED',
        `S3 did not ${what} '${key}' in bucket '${this.#bucket}': ${reasonOf(cause)}. Check that it can be reached and lets this process in.`,
        { cause, details: { bucket: this.#bucket, key } },
      );
    }
  }
}

/** The SDK's errors often carry their reason in the name alone. */
function reasonOf(error: unknown): string {
  const text = errorText(error);
  return error instanceof Error && error.name !== 'Error' ? `${error.name} (${text})` : text;
}
