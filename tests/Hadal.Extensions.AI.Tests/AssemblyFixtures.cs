[assembly: AssemblyFixture(typeof(Hadal.Extensions.AI.Tests.DemoFixture))]
