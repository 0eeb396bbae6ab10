# Compiler settings shared by all targets, and fovea_library()/fovea_test(), so that each folder's CMakeLists.txt is a list
# of sources and links.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()

add_library(fovea_warnings INTERFACE)
target_compile_options(fovea_warnings INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor
                                                -Woverloaded-virtual -Wvla
                                                # g++ 12 is wrong about "text" + std::string at -O3 (PR105651).
                                                $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict> $<$<BOOL:${FOVEA_WERROR}>:-Werror>)

# fovea_library(name [NO_EXCEPTIONS | NO_RTTI] SOURCES ... [PUBLIC ...] [PRIVATE ...])
# Static library `fovea_<name>` with alias fovea::<name>. The project root is on its include path, so that every include
# names the folder it reaches into; tests/include_check reads those paths and enforces who may include whom.
function(fovea_library name)
  cmake_parse_arguments(ARG "NO_EXCEPTIONS;NO_RTTI" "" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  add_library(fovea_${name} STATIC ${ARG_SOURCES})
  add_library(fovea::${name} ALIAS fovea_${name})
  target_include_directories(fovea_${name} PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(fovea_${name} PUBLIC ${ARG_PUBLIC} PRIVATE ${ARG_PRIVATE} $<BUILD_INTERFACE:fovea_warnings>)
  if(ARG_NO_EXCEPTIONS)
    target_compile_options(fovea_${name} PRIVATE -fno-exceptions -fno-rtti)
  elseif(ARG_NO_RTTI)
    target_compile_options(fovea_${name} PRIVATE -fno-rtti)
  endif()
endfunction()

# fovea_test(name SOURCES ... LINK ... [LABELS ...])
# One GoogleTest program, registered with ctest as a whole. FOVEA_SHARED_DIR names the read-only material beside the
# project; tests that need it skip, and are counted as skipped, where it is absent.
function(fovea_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK;LABELS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE ${ARG_LINK} fovea_warnings GTest::gtest GTest::gtest_main)
  target_compile_definitions(${name} PRIVATE FOVEA_SOURCE_DIR="${PROJECT_SOURCE_DIR}"
                                             FOVEA_SHARED_DIR="${PROJECT_SOURCE_DIR}/../shared"
                                             FOVEA_BIN_DIR="${CMAKE_BINARY_DIR}/bin")
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES LABELS "${ARG_LABELS}")
endfunction()
