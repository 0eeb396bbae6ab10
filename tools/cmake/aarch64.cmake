# 64-bit Arm with Debian's cross compiler; programs are static, so that qemu-user runs them without an Arm root.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_EXE_LINKER_FLAGS_INIT -static)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64-static)
# Highway, FlatBuffers and xxHash are headers alone here, the same for every architecture: those of the host serve.
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
