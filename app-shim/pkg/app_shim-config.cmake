# find_package(app_shim) gives the targets app_shim::shared and app_shim::static, and
# app_shim_COMPAT_DIR, the folder of the facades' include folders.
get_filename_component(_app_shim_prefix "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)
find_package(Threads REQUIRED)
set(app_shim_COMPAT_DIR "${_app_shim_prefix}/include/app_shim/compat")
if(NOT TARGET app_shim::shared)
  add_library(app_shim::shared SHARED IMPORTED)
  set_target_properties(app_shim::shared PROPERTIES
    IMPORTED_LOCATION "${_app_shim_prefix}/lib/libapp_shim.so"
    IMPORTED_NO_SONAME TRUE
    INTERFACE_INCLUDE_DIRECTORIES "${_app_shim_prefix}/include/app_shim"
    INTERFACE_LINK_LIBRARIES Threads::Threads)
  add_library(app_shim::static STATIC IMPORTED)
  set_target_properties(app_shim::static PROPERTIES
    IMPORTED_LOCATION "${_app_shim_prefix}/lib/libapp_shim.a"
    INTERFACE_INCLUDE_DIRECTORIES "${_app_shim_prefix}/include/app_shim"
    INTERFACE_LINK_LIBRARIES "Threads::Threads;${CMAKE_DL_LIBS};m")
endif()
unset(_app_shim_prefix)
