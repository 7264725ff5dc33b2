/** The public API where there is no Bun: the client. A broker needs Bun's sockets and files; its name is here to say so. */
export * from './client/index.ts'

export const Broker = {
  /** Always rejects: docs/embedded.md says how to start the program `samsa` instead. */
  start(): Promise<never> {
    return Promise.reject(
      new Error(
        'a broker runs on Bun only: start the program instead (`npx samsa serve --listen 127.0.0.1:0`), or run this with Bun',
      ),
    )
  },
} as const
