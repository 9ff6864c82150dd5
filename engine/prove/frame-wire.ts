export async function runWire(_options: { seed: number; frames: number; grpcMessages: number }): Promise<object> { return await Promise.resolve({}); }
