import { LLMock } from "@copilotkit/aimock";

/** A stand-in of OpenAI and Anthropic on this machine. `await using`: it ends with the test. */
export async function modelProvider() {
  const mock = new LLMock({ port: 0, host: "127.0.0.1", logLevel: "silent" });
  await mock.start();
  return {
    mock,
    /** As settings name them. */
    settings: {
      openai: { apiKey: "sk-local", baseUrl: `${mock.url}/v1` },
      anthropic: { apiKey: "sk-ant-local", baseUrl: mock.url },
    },
    [Symbol.asyncDispose]: async () => {
      const { serverInstance } = mock as unknown as {
        readonly serverInstance: { readonly server: { closeAllConnections(): void } };
      };
      const stopped = mock.stop();
      // It would wait for connections that are kept open.
      serverInstance.server.closeAllConnections();
      await stopped;
    },
  };
}
