# Debian's libcaf-dev ships neither a CMake config nor a pkg-config file.
# Defines the imported targets caf::core, caf::io and caf::openssl.
find_path(CAF_INCLUDE_DIR caf/actor_system.hpp)
foreach(part core io openssl)
  find_library(CAF_${part}_LIBRARY caf_${part})
endforeach()
if(CAF_INCLUDE_DIR)
  file(STRINGS ${CAF_INCLUDE_DIR}/caf/config.hpp _caf_version
       REGEX "#define CAF_VERSION [0-9]+")
  string(REGEX REPLACE ".* ([0-9]+)$" "\\1" _caf_version "${_caf_version}")
  math(EXPR _major "${_caf_version} / 10000")
  math(EXPR _minor "${_caf_version} / 100 % 100")
  math(EXPR _patch "${_caf_version} % 100")
  set(CAF_VERSION "${_major}.${_minor}.${_patch}")
endif()
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(
  CAF REQUIRED_VARS CAF_INCLUDE_DIR CAF_core_LIBRARY CAF_io_LIBRARY
                    CAF_openssl_LIBRARY VERSION_VAR CAF_VERSION)
if(CAF_FOUND AND NOT TARGET caf::core)
  find_package(Threads REQUIRED)
  foreach(part core io openssl)
    add_library(caf::${part} UNKNOWN IMPORTED)
    set_target_properties(
      caf::${part} PROPERTIES IMPORTED_LOCATION ${CAF_${part}_LIBRARY})
    # A system directory: CAF's headers are not held to our warnings.
    target_include_directories(caf::${part} SYSTEM
                               INTERFACE ${CAF_INCLUDE_DIR})
  endforeach()
  target_link_libraries(caf::core INTERFACE Threads::Threads)
  target_link_libraries(caf::io INTERFACE caf::core)
  target_link_libraries(caf::openssl INTERFACE caf::io)
endif()
