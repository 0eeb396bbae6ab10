# The kernels' library needs no symbol of Highway (it is a header at build time), of the allocator, or of exceptions.
# usage: cmake -DNM=nm -DLIBRARY=libfovea_kernels.a -P symbols_test.cmake
execute_process(COMMAND ${NM} -C --undefined-only ${LIBRARY} OUTPUT_VARIABLE symbols RESULT_VARIABLE status)
if(NOT status EQUAL 0 OR symbols STREQUAL "")
  message(FATAL_ERROR "nm could not read ${LIBRARY}")
endif()
string(REGEX MATCHALL "U (hwy::|operator new|operator delete|malloc|calloc|realloc|free|__cxa_throw|std::__throw)[^\n]*"
             unwanted "${symbols}")
if(unwanted)
  message(FATAL_ERROR "the kernels need: ${unwanted}")
endif()
