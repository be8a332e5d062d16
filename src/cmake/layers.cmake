# The layers, bottom up. Includes and links go strictly down; tests/lint checks the #include graph
# against the same table. `core` links `backend` for the one header it may see
# (fulmar/backend/device.hpp).

# fulmar_layer(<name> <folder> [LAYERS ...] [LIBRARIES ...]): one static library fulmar_<name> of
# src/<folder>. A folder without sources gives an INTERFACE library, so that the links above it are
# right from the first day.
function(fulmar_layer name folder)
  cmake_parse_arguments(ARG "" "" "LAYERS;LIBRARIES" ${ARGN})
  set(dir "${CMAKE_SOURCE_DIR}/src/${folder}")
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS "${dir}/*.cpp")
  list(FILTER sources EXCLUDE REGEX "/main\\.cpp$")
  if(NOT FULMAR_HAS_NBD)
    list(FILTER sources EXCLUDE REGEX "/backend/nbd/")
  endif()
  if(NOT FULMAR_HAS_RBD)
    list(FILTER sources EXCLUDE REGEX "/backend/rbd/")
  endif()
  list(TRANSFORM ARG_LAYERS PREPEND fulmar_)
  string(REGEX MATCH "^[^/]+" layer "${folder}")
  if(sources)
    add_library(fulmar_${name} STATIC ${sources})
    # Own folder, the layer's folder, and nothing of any other layer.
    target_include_directories(fulmar_${name} PUBLIC "${CMAKE_SOURCE_DIR}/include"
                               PRIVATE "${dir}" "${CMAKE_SOURCE_DIR}/src/${layer}")
    target_link_libraries(fulmar_${name} PUBLIC fulmar_flags ${ARG_LAYERS} ${ARG_LIBRARIES})
  else()
    add_library(fulmar_${name} INTERFACE)
    target_include_directories(fulmar_${name} INTERFACE "${CMAKE_SOURCE_DIR}/include")
    target_link_libraries(fulmar_${name} INTERFACE
                          fulmar_flags ${ARG_LAYERS} ${ARG_LIBRARIES})
  endif()
  set_property(GLOBAL APPEND PROPERTY FULMAR_LIBRARIES fulmar_${name})
  set_property(GLOBAL APPEND PROPERTY FULMAR_LAYER_${layer} fulmar_${name})
endfunction()

fulmar_layer(base     base
             LIBRARIES fmt::fmt spdlog::spdlog tl::expected dep_boost Threads::Threads)
fulmar_layer(nvme     nvme     LAYERS base LIBRARIES dep_isal)
fulmar_layer(security security LAYERS base nvme LIBRARIES OpenSSL::SSL OpenSSL::Crypto)
fulmar_layer(engine   engine   LAYERS base LIBRARIES dpdk_min dep_uring)
fulmar_layer(mem      mem      LAYERS base LIBRARIES dpdk_min)
fulmar_layer(vfio     vfio     LAYERS base)
fulmar_layer(backend  backend  LAYERS base nvme engine mem vfio
             LIBRARIES dep_uring $<$<BOOL:${FULMAR_HAS_NBD}>:dep_nbd>
                       $<$<BOOL:${FULMAR_HAS_RBD}>:dep_rbd>)
fulmar_layer(hotplug  hotplug  LAYERS base nvme engine mem vfio)
fulmar_layer(core     core     LAYERS base nvme security engine mem backend)
fulmar_layer(transport_tcp      transport/tcp      LAYERS base nvme security engine mem core
             LIBRARIES dep_uring)
fulmar_layer(transport_rdma     transport/rdma     LAYERS base nvme engine mem core
             LIBRARIES dep_verbs)
fulmar_layer(transport_loopback transport/loopback LAYERS base nvme engine mem core)
fulmar_layer(admin    admin    LAYERS base nvme security engine mem vfio core
             LIBRARIES OpenSSL::SSL OpenSSL::Crypto nlohmann_json::nlohmann_json dep_prometheus)
fulmar_layer(drives   drives   LAYERS base nvme engine mem vfio backend hotplug core admin)
fulmar_layer(host     host     LAYERS base nvme security LIBRARIES dep_verbs)
fulmar_layer(cli      cli      LAYERS base nvme security vfio host
             LIBRARIES CLI11::CLI11 nlohmann_json::nlohmann_json OpenSSL::SSL)
fulmar_layer(app      app      LAYERS base nvme security engine mem vfio backend hotplug core
                                      transport_tcp transport_rdma transport_loopback admin drives
             LIBRARIES nlohmann_json::nlohmann_json CLI11::CLI11 dep_systemd)

if(FULMAR_HAS_NBD)
  set_source_files_properties("${CMAKE_SOURCE_DIR}/src/backend/nbd_support.cpp" PROPERTIES
                              COMPILE_DEFINITIONS FULMAR_NBD=1 SKIP_UNITY_BUILD_INCLUSION ON)
endif()
if(FULMAR_HAS_RBD)
  set_source_files_properties("${CMAKE_SOURCE_DIR}/src/backend/rbd_support.cpp" PROPERTIES
                              COMPILE_DEFINITIONS FULMAR_RBD=1 SKIP_UNITY_BUILD_INCLUSION ON)
endif()

# Those that include Asio; tests that do are told in tests.cmake.
foreach(layer IN ITEMS admin cli)
  get_target_property(type fulmar_${layer} TYPE)
  if(type STREQUAL "STATIC_LIBRARY")
    target_link_libraries(fulmar_${layer} PRIVATE dep_asio)
  endif()
endforeach()

foreach(layer IN ITEMS admin app)
  get_target_property(type fulmar_${layer} TYPE)
  if(type STREQUAL "STATIC_LIBRARY")
    fulmar_assets(fulmar_${layer} ${layer} "${CMAKE_SOURCE_DIR}/config/fulmard.schema.json")
  endif()
endforeach()

# fulmar_program(<target> <main source> <library>...): an executable in <build>/bin, when its source
# is there. The glob makes the build notice the source when it appears.
function(fulmar_program target main)
  file(GLOB source CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/${main}")
  if(source)
    add_executable(${target} ${source})
    cmake_path(GET source PARENT_PATH dir)
    target_include_directories(${target} PRIVATE "${dir}")
    target_link_libraries(${target} PRIVATE fulmar_flags ${ARGN})
  endif()
endfunction()

fulmar_program(fulmard src/app/main.cpp fulmar_app)
fulmar_program(fulmar src/cli/main.cpp fulmar_cli)

# What ships, without the tests.
add_custom_target(programs)
foreach(program IN ITEMS fulmard fulmar)
  if(TARGET ${program})
    add_dependencies(programs ${program})
  endif()
endforeach()
