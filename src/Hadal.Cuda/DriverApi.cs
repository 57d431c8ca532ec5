using System.Runtime.InteropServices;

namespace Hadal.Cuda;

/// <summary>The functions of libcuda.so.1 used here, under their exported names (the CUDA Driver API reference describes them).</summary>
/// <remarks>Every argument is blittable: no marshalling code stands between a call and the driver.</remarks>
internal static unsafe partial class DriverApi
{
    private const string Lib = NativeLibraries.Cuda;

    internal static bool IsReady { get; } = NativeLibraries.Install();

    [LibraryImport(Lib)] internal static partial CudaResult cuInit(uint flags);

    [LibraryImport(Lib)] internal static partial CudaResult cuDriverGetVersion(int* version);

    [LibraryImport(Lib)] internal static partial CudaResult cuGetErrorName(CudaResult result, byte** text);

    [LibraryImport(Lib)] internal static partial CudaResult cuGetErrorString(CudaResult result, byte** text);

    [LibraryImport(Lib)] internal static partial CudaResult cuDeviceGetCount(int* count);

    [LibraryImport(Lib)] internal static partial CudaResult cuDeviceGet(int* device, int ordinal);

    [LibraryImport(Lib)] internal static partial CudaResult cuDeviceGetName(byte* name, int length, int device);

    [LibraryImport(Lib)] internal static partial CudaResult cuDeviceGetUuid_v2(byte* uuid, int device);

    [LibraryImport(Lib)] internal static partial CudaResult cuDeviceTotalMem_v2(nuint* bytes, int device);

    [LibraryImport(Lib)] internal static partial CudaResult cuDeviceGetAttribute(int* value, int attribute, int device);

    [LibraryImport(Lib)] internal static partial CudaResult cuDeviceGetPCIBusId(byte* text, int length, int device);

    [LibraryImport(Lib)] internal static partial CudaResult cuDevicePrimaryCtxRetain(nint* context, int device);

    [LibraryImport(Lib)] internal static partial CudaResult cuDevicePrimaryCtxRelease_v2(int device);

    [LibraryImport(Lib)] internal static partial CudaResult cuCtxSetCurrent(nint context);

    [LibraryImport(Lib)] internal static partial CudaResult cuCtxSynchronize();

    [LibraryImport(Lib)] internal static partial CudaResult cuMemGetInfo_v2(nuint* free, nuint* total);

    [LibraryImport(Lib)] internal static partial CudaResult cuMemAlloc_v2(nint* pointer, nuint bytes);

    [LibraryImport(Lib)] internal static partial CudaResult cuMemFree_v2(nint pointer);

    [LibraryImport(Lib)] internal static partial CudaResult cuMemAllocAsync(nint* pointer, nuint bytes, nint stream);

    [LibraryImport(Lib)] internal static partial CudaResult cuMemFreeAsync(nint pointer, nint stream);

    [LibraryImport(Lib)] internal static partial CudaResult cuDeviceGetDefaultMemPool(nint* pool, int device);

    [LibraryImport(Lib)] internal static partial CudaResult cuMemPoolSetAttribute(nint pool, int attribute, void* value);

    [LibraryImport(Lib)] internal static partial CudaResult cuMemPoolGetAttribute(nint pool, int attribute, void* value);

    [LibraryImport(Lib)] internal static partial CudaResult cuMemPoolTrimTo(nint pool, nuint bytesToKeep);

    [LibraryImport(Lib)] internal static partial CudaResult cuMemHostAlloc(void** pointer, nuint bytes, uint flags);

    [LibraryImport(Lib)] internal static partial CudaResult cuMemFreeHost(void* pointer);

    [LibraryImport(Lib)] internal static partial CudaResult cuMemHostRegister_v2(void* pointer, nuint bytes, uint flags);

    [LibraryImport(Lib)] internal static partial CudaResult cuMemHostUnregister(void* pointer);

    [LibraryImport(Lib)] internal static partial CudaResult cuMemcpyHtoDAsync_v2(nint destination, void* source, nuint bytes, nint stream);

    [LibraryImport(Lib)] internal static partial CudaResult cuMemcpyDtoHAsync_v2(void* destination, nint source, nuint bytes, nint stream);

    [LibraryImport(Lib)] internal static partial CudaResult cuMemcpyDtoDAsync_v2(nint destination, nint source, nuint bytes, nint stream);

    [LibraryImport(Lib)] internal static partial CudaResult cuMemsetD8Async(nint destination, byte value, nuint bytes, nint stream);

    [LibraryImport(Lib)] internal static partial CudaResult cuStreamCreate(nint* stream, uint flags);

    [LibraryImport(Lib)] internal static partial CudaResult cuStreamDestroy_v2(nint stream);

    [LibraryImport(Lib)] internal static partial CudaResult cuStreamSynchronize(nint stream);

    [LibraryImport(Lib)] internal static partial CudaResult cuStreamQuery(nint stream);

    [LibraryImport(Lib)] internal static partial CudaResult cuStreamWaitEvent(nint stream, nint evt, uint flags);

    [LibraryImport(Lib)] internal static partial CudaResult cuStreamBeginCapture_v2(nint stream, int mode);

    [LibraryImport(Lib)] internal static partial CudaResult cuStreamEndCapture(nint stream, nint* graph);

    [LibraryImport(Lib)] internal static partial CudaResult cuThreadExchangeStreamCaptureMode(int* mode);

    [LibraryImport(Lib)] internal static partial CudaResult cuStreamIsCapturing(nint stream, int* status);

    [LibraryImport(Lib)] internal static partial CudaResult cuGraphInstantiateWithFlags(nint* instance, nint graph, ulong flags);

    [LibraryImport(Lib)] internal static partial CudaResult cuGraphGetNodes(nint graph, nint* nodes, nuint* count);

    [LibraryImport(Lib)] internal static partial CudaResult cuGraphUpload(nint instance, nint stream);

    [LibraryImport(Lib)] internal static partial CudaResult cuGraphLaunch(nint instance, nint stream);

    [LibraryImport(Lib)] internal static partial CudaResult cuGraphExecDestroy(nint instance);

    [LibraryImport(Lib)] internal static partial CudaResult cuGraphDestroy(nint graph);

    [LibraryImport(Lib)] internal static partial CudaResult cuEventCreate(nint* evt, uint flags);

    [LibraryImport(Lib)] internal static partial CudaResult cuEventDestroy_v2(nint evt);

    [LibraryImport(Lib)] internal static partial CudaResult cuEventRecord(nint evt, nint stream);

    [LibraryImport(Lib)] internal static partial CudaResult cuEventQuery(nint evt);

    [LibraryImport(Lib)] internal static partial CudaResult cuEventSynchronize(nint evt);

    [LibraryImport(Lib)] internal static partial CudaResult cuEventElapsedTime(float* milliseconds, nint start, nint end);

    [LibraryImport(Lib)] internal static partial CudaResult cuLinkCreate_v2(uint count, int* options, void** values, nint* state);

    [LibraryImport(Lib)] internal static partial CudaResult cuLinkAddData_v2(nint state, int type, void* data, nuint bytes, byte* name, uint count, int* options, void** values);

    [LibraryImport(Lib)] internal static partial CudaResult cuLinkComplete(nint state, void** image, nuint* bytes);

    [LibraryImport(Lib)] internal static partial CudaResult cuLinkDestroy(nint state);

    [LibraryImport(Lib)] internal static partial CudaResult cuModuleLoadDataEx(nint* module, void* image, uint count, int* options, void** values);

    [LibraryImport(Lib)] internal static partial CudaResult cuModuleUnload(nint module);

    [LibraryImport(Lib)] internal static partial CudaResult cuModuleGetFunction(nint* function, nint module, byte* name);

    [LibraryImport(Lib)] internal static partial CudaResult cuFuncGetAttribute(int* value, int attribute, nint function);

    [LibraryImport(Lib)] internal static partial CudaResult cuFuncSetAttribute(nint function, int attribute, int value);

    [LibraryImport(Lib)] internal static partial CudaResult cuFuncGetParamInfo(nint function, nuint index, nuint* offset, nuint* bytes);

    [LibraryImport(Lib)] internal static partial CudaResult cuOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, nint function, int threads, nuint dynamicSharedBytes);

    [LibraryImport(Lib)] internal static partial CudaResult cuLaunchKernelEx(LaunchConfig* config, nint function, void** parameters, void** extra);

    [LibraryImport(Lib)]
    internal static partial CudaResult cuTensorMapEncodeTiled(
        void* map, int type, uint rank, nint address, ulong* sizes, ulong* strides, uint* box, uint* elementStrides, int interleave, int swizzle, int l2Promotion, int fill);
}
