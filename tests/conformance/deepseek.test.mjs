// The npm package `@ai-sdk/deepseek` against a server with the bundled model (HADAL_URL, HADAL_MODEL).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createDeepSeek } from '@ai-sdk/deepseek';
import { generateText, jsonSchema, stepCountIs, streamText, tool } from 'ai';

const deepseek = createDeepSeek({ baseURL: process.env.HADAL_URL, apiKey: process.env.HADAL_KEY ?? 'none' });
const model = deepseek(process.env.HADAL_MODEL);
const prompt = 'What is 12 + 7?';

test('generateText: text, thinking, usage', async () => {
  const answer = await generateText({ model, prompt, temperature: 0, maxRetries: 0 });
  assert.match(answer.text, /19/);
  assert.ok(answer.reasoningText.length > 0);
  assert.equal(answer.finishReason, 'stop');
  assert.ok(answer.usage.inputTokens > 0 && answer.usage.outputTokens > 0);
});

test('streamText: the same, as it comes', async () => {
  const whole = await generateText({ model, prompt, temperature: 0, maxRetries: 0 });
  const stream = streamText({ model, prompt, temperature: 0, maxRetries: 0 });
  let text = '', thinking = '', parts = 0;
  for await (const part of stream.fullStream) {
    if (part.type === 'error') throw part.error;
    if (part.type === 'text-delta') { text += part.text; parts++; }
    if (part.type === 'reasoning-delta') { thinking += part.text; parts++; }
  }
  assert.equal(text, whole.text);
  assert.equal(thinking, whole.reasoningText);
  assert.ok(parts > 3);
  assert.equal((await stream.usage).outputTokens, whole.usage.outputTokens);
});

test('system, several turns, a limit and stop sequences', async () => {
  const messages = [{ role: 'system', content: 'You do sums.' }, { role: 'user', content: prompt }, { role: 'assistant', content: '19' }, { role: 'user', content: 'And 3 + 4?' }];
  const cut = await generateText({ model, messages, maxOutputTokens: 3, maxRetries: 0 });
  assert.equal(cut.finishReason, 'length');
  const stopped = await generateText({ model, prompt, temperature: 0, stopSequences: ['9'], maxRetries: 0 });
  assert.ok(!stopped.text.includes('9'));
});

test('a refusal says why', async () => {
  await assert.rejects(generateText({ model: deepseek('no-such-model'), prompt, maxRetries: 0 }), /does not exist/);
});

test('tools: a required call is made, streamed too', async () => {
  const add = tool({
    description: 'Adds.',
    inputSchema: jsonSchema({ type: 'object', properties: { a: { type: 'integer' }, b: { type: 'integer' } }, required: ['a', 'b'], additionalProperties: false }),
  });
  const request = { model, prompt, tools: { add }, toolChoice: 'required', temperature: 0, providerOptions: { deepseek: { thinking: { type: 'disabled' } } }, maxOutputTokens: 200, stopWhen: stepCountIs(1), maxRetries: 0 };
  const whole = await generateText(request);
  // The bundled model may call again and again until its tokens are spent, and this package cannot ask for one call only.
  assert.ok(['tool-calls', 'length'].includes(whole.finishReason), whole.finishReason);
  assert.equal(whole.toolCalls[0].toolName, 'add');
  assert.equal(typeof whole.toolCalls[0].input.a, 'number');
  const streamed = await streamText(request).toolCalls;
  assert.deepEqual(streamed.map((c) => c.input), whole.toolCalls.map((c) => c.input));
});
