// The npm package `openai` against a server with the bundled model (HADAL_URL, HADAL_MODEL).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import OpenAI from 'openai';

const model = process.env.HADAL_MODEL;
const client = new OpenAI({ baseURL: process.env.HADAL_URL, apiKey: process.env.HADAL_KEY ?? 'none', maxRetries: 0 });
const question = [{ role: 'user', content: 'What is 12 + 7?' }];

test('models.list and retrieve', async () => {
  const ids = (await client.models.list()).data.map((m) => m.id);
  assert.ok(ids.includes(model), ids.join());
  assert.equal((await client.models.retrieve(model)).id, model);
});

test('chat, whole: text, thinking, usage', async () => {
  const answer = await client.chat.completions.create({ model, messages: question, temperature: 0 });
  assert.match(answer.choices[0].message.content, /19/);
  assert.ok(answer.choices[0].message.reasoning_content.length > 0);
  assert.equal(answer.choices[0].finish_reason, 'stop');
  assert.equal(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens);
  assert.ok(answer.usage.completion_tokens_details.reasoning_tokens > 0);
});

test('chat, streamed: the same text, and one usage', async () => {
  const whole = await client.chat.completions.create({ model, messages: question, temperature: 0 });
  const stream = await client.chat.completions.create({ model, messages: question, temperature: 0, stream: true, stream_options: { include_usage: true } });
  let text = '', thinking = '', reasons = [], usages = [];
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta.content ?? '';
    thinking += chunk.choices[0]?.delta.reasoning_content ?? '';
    if (chunk.choices[0]?.finish_reason) reasons.push(chunk.choices[0].finish_reason);
    if (chunk.usage) usages.push(chunk.usage);
  }
  assert.equal(text, whole.choices[0].message.content);
  assert.equal(thinking, whole.choices[0].message.reasoning_content);
  assert.deepEqual(reasons, ['stop']);
  assert.equal(usages.length, 1);
  assert.equal(usages[0].completion_tokens, whole.usage.completion_tokens);
});

test('chat.completions.stream helper gives the final message', async () => {
  const final = await client.chat.completions.stream({ model, messages: question, temperature: 0 }).finalChatCompletion();
  assert.match(final.choices[0].message.content, /19/);
});

test('n, seed, logprobs, stop', async () => {
  const answer = await client.chat.completions.create({ model, messages: question, n: 2, seed: 5, logprobs: true, top_logprobs: 3, max_completion_tokens: 8 });
  assert.equal(answer.choices.length, 2);
  assert.equal(answer.choices[0].logprobs.content.length + (answer.choices[0].logprobs.reasoning_content?.length ?? 0) > 0, true);
  const stopped = await client.chat.completions.create({ model, messages: question, temperature: 0, stop: ['9'] });
  assert.ok(!stopped.choices[0].message.content.includes('9'));
});

test('completions, whole and streamed', async () => {
  const whole = await client.completions.create({ model, prompt: 'Once upon a time', max_tokens: 12, temperature: 0 });
  let text = '';
  for await (const chunk of await client.completions.create({ model, prompt: 'Once upon a time', max_tokens: 12, temperature: 0, stream: true })) text += chunk.choices[0].text;
  assert.equal(text, whole.choices[0].text);
});

test('aborting a stream ends it', async () => {
  const stream = await client.chat.completions.create({ model, messages: question, stream: true, ignore_eos: true, max_tokens: 1500 });
  let count = 0;
  for await (const _ of stream) if (++count === 3) stream.controller.abort();
  assert.ok(count < 100, `${count} chunks`);
});

test('errors have status, code and param', async () => {
  await assert.rejects(client.chat.completions.create({ model: 'no-such-model', messages: question }), (e) => e instanceof OpenAI.NotFoundError && e.code === 'model_not_found');
  await assert.rejects(client.chat.completions.create({ model, messages: question, temperature: 9 }), (e) => e instanceof OpenAI.BadRequestError && e.param === 'temperature');
  await assert.rejects(client.responses.create({ model, input: 'x', background: true }), (e) => e instanceof OpenAI.BadRequestError && e.param === 'background');
});

test('responses, whole: output_text, thinking, usage, and going on from it', async () => {
  const first = await client.responses.create({ model, input: 'What is 12 + 7?', temperature: 0, instructions: 'You do sums.' });
  assert.equal(first.status, 'completed');
  assert.match(first.output_text, /19/);
  assert.deepEqual(first.output.map((i) => i.type), ['reasoning', 'message']);
  assert.equal(first.usage.total_tokens, first.usage.input_tokens + first.usage.output_tokens);
  const second = await client.responses.create({ model, input: 'And 3 + 4?', previous_response_id: first.id, temperature: 0 });
  assert.equal(second.previous_response_id, first.id);
  assert.ok(second.usage.input_tokens > first.usage.input_tokens);
  assert.equal((await client.responses.retrieve(second.id)).output_text, second.output_text);
  await client.responses.delete(first.id);
  await assert.rejects(client.responses.create({ model, input: 'x', previous_response_id: first.id }), (e) => e.param === 'previous_response_id');
  const cut = await client.responses.create({ model, input: [{ role: 'user', content: [{ type: 'input_text', text: 'Tell me a story.' }] }], max_output_tokens: 16 });
  assert.equal(cut.status, 'incomplete');
  assert.equal(cut.incomplete_details.reason, 'max_output_tokens');
});

test('responses, streamed: events in order, numbered, the same text', async () => {
  const whole = await client.responses.create({ model, input: 'What is 12 + 7?', temperature: 0, store: false });
  const events = [];
  for await (const event of await client.responses.create({ model, input: 'What is 12 + 7?', temperature: 0, stream: true })) events.push(event);
  assert.deepEqual(events.map((e) => e.sequence_number), events.map((_, i) => i));
  assert.equal(events[0].type, 'response.created');
  assert.equal(events.at(-1).type, 'response.completed');
  assert.equal(events.filter((e) => e.type === 'response.output_text.delta').map((e) => e.delta).join(''), whole.output_text);
  const done = events.filter((e) => e.type === 'response.output_item.done');
  assert.deepEqual(done.map((e) => e.item.type), ['reasoning', 'message']);
  assert.equal(events.at(-1).response.output.length, 2);
  const helper = await client.responses.stream({ model, input: 'What is 12 + 7?', temperature: 0 }).finalResponse();
  assert.equal(helper.output[1].content[0].text, whole.output_text);
});

const tools = [{ type: 'function', function: { name: 'add', description: 'Adds.', parameters: { type: 'object', properties: { a: { type: 'integer' }, b: { type: 'integer' } }, required: ['a', 'b'], additionalProperties: false } } }];

test('tools: a required call, whole and streamed, and its result', async () => {
  const request = { model, messages: question, tools, tool_choice: { type: 'function', function: { name: 'add' } }, parallel_tool_calls: false, temperature: 0, max_tokens: 200, reasoning_effort: 'none' };
  const whole = (await client.chat.completions.create(request)).choices[0];
  assert.equal(whole.finish_reason, 'tool_calls');
  const call = whole.message.tool_calls[0];
  assert.equal(call.function.name, 'add');
  assert.deepEqual(Object.keys(JSON.parse(call.function.arguments)).sort(), ['a', 'b']);
  const final = (await client.chat.completions.stream(request).finalChatCompletion()).choices[0];
  assert.equal(final.finish_reason, 'tool_calls');
  assert.equal(final.message.tool_calls[0].function.arguments, call.function.arguments);
  const messages = [...question, whole.message, { role: 'tool', tool_call_id: call.id, content: '19' }];
  const answer = await client.chat.completions.create({ model, messages, tools, temperature: 0, max_tokens: 64 });
  assert.ok(['stop', 'length', 'tool_calls'].includes(answer.choices[0].finish_reason));
});

test('response_format: an answer of the schema', async () => {
  const schema = { type: 'object', properties: { sum: { type: 'integer', minimum: 0, maximum: 99 } }, required: ['sum'], additionalProperties: false };
  const answer = await client.chat.completions.create({ model, messages: question, temperature: 0, reasoning_effort: 'none', response_format: { type: 'json_schema', json_schema: { name: 'sum', schema, strict: true } } });
  assert.equal(typeof JSON.parse(answer.choices[0].message.content).sum, 'number');
});

test('responses: tools and formats, whole and streamed', async () => {
  const flat = tools.map((t) => ({ type: 'function', ...t.function, strict: true }));
  const request = { model, input: 'What is 12 + 7?', tools: flat, tool_choice: 'required', parallel_tool_calls: false, temperature: 0, max_output_tokens: 200, reasoning: { effort: 'none' } };
  const whole = await client.responses.create(request);
  const call = whole.output.find((i) => i.type === 'function_call');
  assert.equal(call.name, 'add');
  const events = [];
  for await (const event of await client.responses.create({ ...request, stream: true })) events.push(event);
  const streamed = events.filter((e) => e.type === 'response.function_call_arguments.delta').map((e) => e.delta).join('');
  assert.equal(streamed, call.arguments);
  assert.equal(events.find((e) => e.type === 'response.function_call_arguments.done').arguments, call.arguments);
  const next = await client.responses.create({ model, previous_response_id: whole.id, input: [{ type: 'function_call_output', call_id: call.call_id, output: '19' }], temperature: 0, max_output_tokens: 40 });
  assert.ok(['completed', 'incomplete'].includes(next.status));
  const schema = { type: 'object', properties: { sum: { type: 'integer', minimum: 0, maximum: 99 } }, required: ['sum'], additionalProperties: false };
  const typed = await client.responses.create({ model, input: 'What is 12 + 7?', temperature: 0, reasoning: { effort: 'none' }, text: { format: { type: 'json_schema', name: 'sum', schema, strict: true } } });
  assert.equal(typeof JSON.parse(typed.output_text).sum, 'number');
});

test('embeddings', async () => {
  const answer = await client.embeddings.create({ model, input: ['The cat sat.', 'A dog ran.'] });
  assert.equal(answer.data.length, 2);
  assert.ok(Math.abs(answer.data[0].embedding.reduce((sum, v) => sum + v * v, 0) - 1) < 1e-3);
});
