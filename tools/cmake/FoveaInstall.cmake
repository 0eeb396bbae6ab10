# `cmake --install` gives the programs, the static libraries with their public headers, and a package for find_package(fovea).
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

install(TARGETS fovea_runtime fovea_kernels EXPORT foveaTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
set_target_properties(fovea_runtime PROPERTIES EXPORT_NAME runtime)
set_target_properties(fovea_kernels PROPERTIES EXPORT_NAME kernels)
install(DIRECTORY runtime/include/fovea DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
if(TARGET fovea)
  install(TARGETS fovea fovea-convert RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/fovea)
install(EXPORT foveaTargets NAMESPACE fovea:: DESTINATION ${package_dir})
if(NOT FOVEA_EMBEDDED)
  set(find_threads "find_dependency(Threads)\n")
endif()
file(WRITE ${CMAKE_BINARY_DIR}/foveaConfig.cmake.in
"@PACKAGE_INIT@\ninclude(CMakeFindDependencyMacro)\n${find_threads}include(\${CMAKE_CURRENT_LIST_DIR}/foveaTargets.cmake)\n")
configure_package_config_file(${CMAKE_BINARY_DIR}/foveaConfig.cmake.in ${CMAKE_BINARY_DIR}/foveaConfig.cmake
                              INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/foveaConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/foveaConfig.cmake ${CMAKE_BINARY_DIR}/foveaConfigVersion.cmake DESTINATION ${package_dir})
