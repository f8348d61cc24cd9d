import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { hasCode, parseJsonRecord, type Schema } from '#wire';
import type { Input, InputPort } from '../../edge-forwarder/input.ts';

const BODY_BYTES_MAX = 1_048_576;

/**
 * JSON lines of POST requests as an input of the forwarder. It stands in for one, to put requests in front of what the forwarder does with
 * rows: the forwarder's own inputs are standard input and the simulated fleet. A 202 says that all rows were taken; they are stored with
 * the next commit.
 */
export function httpInput<Row>(schema: Schema<Row>, listening: (port: number) => void): Input<Row> {
  return {
    name: 'http',
    origin: '',
    async run(port, signal) {
      const server = createServer((request, response) => {
        take(schema, port, request).then(
          (status) => response.writeHead(status).end(),
          () => failed(response),
        );
      });
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      listening((server.address() as AddressInfo).port);
      if (!signal.aborted) await once(signal, 'abort');
      server.close();
      server.closeAllConnections();
    },
  };
}

/** The status to answer with. */
async function take<Row>(
  schema: Schema<Row>,
  port: InputPort<Row>,
  request: IncomingMessage,
): Promise<number> {
  const body = await bodyOf(request);
  if (body === null) return 413;
  await port.blocked();
  let status = 202;
  for (const line of body.split('\n')) {
    if (line === '') continue;
    try {
      port.accept(parseJsonRecord(schema, line));
    } catch (error) {
      if (!hasCode(error, 'MR_RECORD_INVALID')) throw error;
      port.reject((error as Error).message, line);
      status = 400;
    }
  }
  return status;
}

/** Null: too long. */
async function bodyOf(request: IncomingMessage): Promise<string | null> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > BODY_BYTES_MAX) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function failed(response: ServerResponse): void {
  if (!response.headersSent) response.writeHead(500);
  response.end();
}
